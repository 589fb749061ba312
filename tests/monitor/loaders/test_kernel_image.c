/* Random damage: whatever the file is, the loader ends, stays inside file and memory, and says why.
 */
#include "tests/monitor/loaders/synthetic.h"

static uint32_t seed;

static uint32_t random_below(uint32_t limit)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % limit;
}

static uint32_t random_word(void)
{
	static const uint32_t liked[] = {0,        1,        3,           8,          0x1000,
	                                 0x100000, 0x3FFFFF, MEMORY_SIZE, 0x7FFFFFFF, 0xFFFFFFFF};

	if (random_below(2))
		return liked[random_below(sizeof(liked) / sizeof(liked[0]))];
	return random_below(0x10000) << 16 | random_below(0x10000);
}

static void put_multiboot2(void)
{
	static const uint32_t words[] = {
	        0xE85250D6U, 0,  88,       0U - 0xE85250D6U - 88, /* header */
	        1,           20, 1,        4,
	        6,           0, /* information request */
	        2,           24, 0x300200, 0x300000,
	        0,           0,               /* addresses */
	        3,           12, 0x300010, 0, /* entry */
	        0,           8,               /* end */
	};

	for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		put32(MULTIBOOT_AT + 4 * i, words[i]);
}

static void put_addresses(void)
{
	put_multiboot1(MULTIBOOT_AT, 0x10000);
	put32(MULTIBOOT_AT + 12, 0x300000 + MULTIBOOT_AT);
	put32(MULTIBOOT_AT + 16, 0x300000);
	put32(MULTIBOOT_AT + 28, 0x300400);
}

/* Damages the headers, and puts the checksums right again so that the damage gets through. */
static void damage(bool version2)
{
	for (uint32_t i = random_below(4); i; i--) {
		uint32_t at = random_below(3) ? MULTIBOOT_AT + 4 + 4 * random_below(22)
		                              : 16 + 4 * random_below(25);
		if (random_below(2))
			put32(at, random_word());
		else
			image[at + random_below(4)] = (uint8_t)random_below(256);
	}
	uint32_t sum = 0, word;
	for (uint32_t i = 0; i < (version2 ? 3 : 2); i++) {
		memcpy(&word, image + MULTIBOOT_AT + 4 * i, 4);
		sum += word;
	}
	put32(MULTIBOOT_AT + (version2 ? 12 : 8), 0 - sum);
}

TEST(kernel_image_survives_random_damage)
{
	static const uint8_t bytes[0x100];
	const struct load_module module = {bytes, sizeof(bytes), "module"};
	char sentence[200];
	unsigned loaded = 0, refused[LOAD_FAULT_REASONS] = {0}, reasons = 0;

	make_elf();
	static uint8_t kernel[IMAGE_ROOM];
	memcpy(kernel, image, sizeof(kernel));
	seed = 1;
	for (unsigned round = 0; round < 100000 && !unit_failed; round++) {
		uint32_t kind = random_below(3),
		         size = random_below(8) ? ELF_SIZE : random_below(ELF_SIZE);
		memcpy(image, kernel, ELF_SIZE);
		if (kind == 0)
			put_multiboot1(MULTIBOOT_AT, random_below(8));
		else if (kind == 1)
			put_addresses();
		else
			put_multiboot2();
		damage(kind == 2);
		/* A copy of just its size: the sanitizer sees every byte that is read past its end.
		 */
		uint8_t *exact = malloc(size ? size : 1);
		memcpy(exact, image, size);
		request.image = exact;
		request.image_size = size;
		request.modules = &module;
		request.module_count = random_below(2);
		bytes_written = 0;
		if (kernel_image_load(&load, &request)) {
			loaded++;
		} else {
			CHECK_EQ(bytes_written, 0);
			CHECK(load.fault.reason != LOAD_FAULT_NONE);
			load_fault_write(&load.fault, sentence, sizeof(sentence));
			refused[load.fault.reason]++;
		}
		free(exact);
	}
	/* The damage is neither too small nor too large to be a test. */
	for (unsigned i = 1; i < LOAD_FAULT_REASONS; i++)
		reasons += refused[i] != 0;
	CHECK(loaded > 1000);
	CHECK(reasons > 20);
}

UNIT_MAIN
