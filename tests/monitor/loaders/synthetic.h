/* Synthetic kernels for the tests of the loaders, and a small guest memory to load them into.
 *
 * The memory checks every write against its size; behind it the sanitizer watches. */
#ifndef TESTS_MONITOR_LOADERS_SYNTHETIC_H
#define TESTS_MONITOR_LOADERS_SYNTHETIC_H

#include <stdlib.h>

#include "monitor/loaders/kernel_image.h"
#include "tests/unit.h"

#define MEMORY_SIZE 0x400000
#define IMAGE_ROOM  0x10000

static uint8_t memory[MEMORY_SIZE];
static uint8_t image[IMAGE_ROOM];
static uint32_t bytes_written;

static struct load load;
static struct load_request request;
static struct guest_ram ram;

static inline void memory_copy(void *owner, uint32_t address, const void *bytes, uint32_t size)
{
	CHECK(owner == memory);
	CHECK(address <= ram.size && size <= ram.size - address);
	if (!unit_failed)
		memcpy(memory + address, bytes, size);
	bytes_written += size;
}

static inline void memory_clear(void *owner, uint32_t address, uint32_t size)
{
	CHECK(owner == memory);
	CHECK(address <= ram.size && size <= ram.size - address);
	if (!unit_failed)
		memset(memory + address, 0, size);
	bytes_written += size;
}

static inline void put16(uint32_t offset, uint32_t value)
{
	image[offset] = (uint8_t)value;
	image[offset + 1] = (uint8_t)(value >> 8);
}

static inline void put32(uint32_t offset, uint32_t value)
{
	put16(offset, value);
	put16(offset + 2, value >> 16);
}

static inline uint32_t get32(uint32_t address)
{
	uint32_t value = 0;

	CHECK(address <= MEMORY_SIZE - 4);
	if (!unit_failed)
		memcpy(&value, memory + address, 4);
	return value;
}

/* A zero-terminated string in guest memory. */
static inline const char *get_string(uint32_t address)
{
	bool inside = address < MEMORY_SIZE && memchr(memory + address, 0, MEMORY_SIZE - address);

	CHECK(inside);
	return inside ? (const char *)memory + address : "";
}

static inline void empty_request(uint32_t image_size)
{
	memset(memory, 0xEE, sizeof(memory));
	memset(image, 0, sizeof(image));
	bytes_written = 0;
	ram = (struct guest_ram){MEMORY_SIZE, memory_copy, memory_clear, memory};
	request = (struct load_request){.image = image, .image_size = image_size, .ram = &ram};
}

enum { ELF_SEGMENT_1 = 52, ELF_SEGMENT_2 = 84, MULTIBOOT_AT = 0x200, ELF_SIZE = 0x3000 };

static inline void put_segment(uint32_t at, uint32_t offset, uint32_t virtual_address,
                               uint32_t address, uint32_t file_size, uint32_t memory_size)
{
	const uint32_t words[] = {1, offset, virtual_address, address, file_size, memory_size,
	                          7, 4096};

	for (unsigned i = 0; i < 8; i++)
		put32(at + 4 * i, words[i]);
}

/* Two segments, loaded at 1 MB and 2 MB but linked for 3 GB; entered at the twentieth byte. */
static inline void make_elf(void)
{
	empty_request(ELF_SIZE);
	memcpy(image,
	       "\x7f"
	       "ELF\1\1\1",
	       7);
	put16(16, 2);
	put16(18, 3);
	put32(20, 1);
	put32(24, 0xC0100014);
	put32(28, ELF_SEGMENT_1);
	put16(40, 52);
	put16(42, 32);
	put16(44, 2);
	put_segment(ELF_SEGMENT_1, 0x1000, 0xC0100000, 0x100000, 0x1000, 0x1800);
	put_segment(ELF_SEGMENT_2, 0x2000, 0xC0200000, 0x200000, 0x0800, 0x0800);
	memset(image + 0x1000, 0x11, 0x1000);
	memset(image + 0x2000, 0x22, 0x0800);
}

static inline void put_multiboot1(uint32_t at, uint32_t flags)
{
	put32(at, 0x1BADB002);
	put32(at + 4, flags);
	put32(at + 8, 0U - 0x1BADB002 - flags);
}

/* The sentence of a load that must fail, and must not have written anything. */
static inline const char *refusal(void)
{
	static char sentence[200];

	if (kernel_image_load(&load, &request))
		return "loaded";
	CHECK_EQ(bytes_written, 0);
	load_fault_write(&load.fault, sentence, sizeof(sentence));
	return sentence;
}

#endif
