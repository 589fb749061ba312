/* A guest's kernel of any kind: ELF, Multiboot 1 and 2 headers, address fields, bzImage, vmlinux.
 *
 * A kernel that is refused has written nothing and gets a sentence; one that is loaded is written
 * inside guest memory and begins in it. Checksums of headers are put right, where the first byte
 * asks for it: no fuzzer guesses them. */
#include "monitor/loaders/kernel_image.h"
#include "monitor/loaders/multiboot1.h"
#include "monitor/loaders/multiboot2.h"
#include "tests/fuzz/fuzz.h"

#define MEGABYTE          0x100000u
#define MEMORY            (4 * MEGABYTE)
#define MULTIBOOT1_HEADER 0x1BADB002u
#define MULTIBOOT2_HEADER 0xE85250D6u

enum { MEND_CHECKSUMS = 1, MODULES = 2, TEXT_SCREEN = 4, SMALL_MEMORY = 8 };

static struct guest_ram ram;
static uint64_t written;

static void write_range(uint32_t address, uint32_t size)
{
	MUST(address <= ram.size && size <= ram.size - address);
	written += size;
}

static void copy(void *owner, uint32_t address, const void *bytes, uint32_t size)
{
	(void)owner;
	write_range(address, size);
	/* Reads every byte, so that the sanitizer sees those that are not the file's. */
	void *taken = malloc(size ? size : 1);
	memcpy(taken, bytes, size);
	free(taken);
}

static void clear(void *owner, uint32_t address, uint32_t size)
{
	(void)owner;
	write_range(address, size);
}

static void mend(uint8_t *image, size_t size, uint32_t magic, size_t words, size_t step)
{
	uint32_t word, sum = 0;

	for (size_t at = 0; at + 4 * words + 4 <= size; at += step) {
		memcpy(&word, image + at, 4);
		if (word != magic)
			continue;
		for (size_t i = 0; i < words; i++) {
			memcpy(&word, image + at + 4 * i, 4);
			sum += word;
		}
		sum = 0 - sum;
		memcpy(image + at + 4 * words, &sum, 4);
		return;
	}
}

static void look_at(const struct load *load)
{
	MUST(load->segment_count <= LOAD_SEGMENTS);
	MUST(load->entry.eip < ram.size);
	for (unsigned i = 0; i < load->segment_count; i++) {
		const struct load_segment *segment = &load->segment[i];
		MUST(segment->address <= ram.size);
		MUST(segment->memory_size <= ram.size - segment->address);
		MUST(segment->file_size <= segment->memory_size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t ramdisk[0x100];
	static const struct load_module modules[] = {{ramdisk, sizeof(ramdisk), "initrd"},
	                                             {ramdisk, 1, NULL}};
	static struct load load;
	char sentence[200] = "";

	if (size == 0)
		return 0;
	uint8_t how = data[0];
	uint8_t *image = malloc(size);
	memcpy(image, data + 1, size - 1);
	/* Just the file's size, again for the sanitizer. */
	image = realloc(image, size - 1 ? size - 1 : 1);
	if (how & MEND_CHECKSUMS) {
		mend(image, size - 1, MULTIBOOT1_HEADER, 2, 4);
		mend(image, size - 1, MULTIBOOT2_HEADER, 3, 8);
	}
	ram = (struct guest_ram){how & SMALL_MEMORY ? MEGABYTE : MEMORY, copy, clear, NULL};
	const struct load_request request = {.image = image,
	                                     .image_size = (uint32_t)size - 1,
	                                     .command_line = "kernel one",
	                                     .arguments = "one",
	                                     .modules = modules,
	                                     .module_count = how & MODULES ? 2 : 0,
	                                     .text_screen = how & TEXT_SCREEN,
	                                     .ram = &ram};
	written = 0;
	if (kernel_image_load(&load, &request)) {
		look_at(&load);
	} else {
		MUST(written == 0);
		load_fault_write(&load.fault, sentence, sizeof(sentence));
		MUST(sentence[0] && memchr(sentence, 0, sizeof(sentence)));
	}
	free(image);
	return 0;
}
