#include "monitor/cpu/compression.h"
#include "tests/unit.h"

#define CUT 0xFFC00000u

/* A descriptor from base, limit field, access byte and the four flags. */
static struct segments_descriptor guest(uint32_t base, uint32_t limit, uint8_t access,
                                        uint8_t flags)
{
	struct descriptor made = descriptor_make(base, limit, access, flags);
	struct segments_descriptor words;

	memcpy(&words, &made, sizeof(words));
	return words;
}

static struct vcpu_segment_register shadow_of(const struct descriptor *shadow)
{
	struct segments_descriptor words;

	memcpy(&words, shadow, sizeof(words));
	return segments_unpack(0, words);
}

#define FLAT_FLAGS (DESCRIPTOR_32BIT | DESCRIPTOR_GRANULAR)

TEST(ring_0_becomes_ring_1_and_the_others_stay)
{
	static const uint8_t levels[][2] = {{0, 1}, {1, 1}, {2, 2}, {3, 3}};
	struct descriptor shadow;

	for (unsigned int i = 0; i < 4; i++) {
		uint8_t access = (uint8_t)(DESCRIPTOR_DATA | levels[i][0] << 5);
		CHECK(compression_make(guest(0x1234, 0xFFF, access, DESCRIPTOR_32BIT), CUT,
		                       &shadow));
		CHECK_EQ(shadow.access, DESCRIPTOR_DATA | levels[i][1] << 5);
		CHECK_EQ(shadow_of(&shadow).base, 0x1234);
		CHECK_EQ(shadow_of(&shadow).limit, 0xFFF);
	}
}

TEST(segments_end_below_the_cut)
{
	static const struct {
		uint32_t base, field;
		uint8_t flags;
		uint32_t limit;
	} rows[] = {
	        {0, 0xFFFFF, FLAT_FLAGS, CUT - 1},
	        {0, CUT / 4096, FLAT_FLAGS, CUT - 1},
	        {0, CUT / 4096 - 1, FLAT_FLAGS, CUT - 1},
	        {0, CUT / 4096 - 2, FLAT_FLAGS, CUT - 4097},
	        /* wraps around: what lies behind the wrap is reached by emulation */
	        {0xB7F00000, 0xFFFFF, FLAT_FLAGS, CUT - 0xB7F00000 - 1},
	        /* whole pages only: the last piece before the cut is left out */
	        {0xB7F00010, 0xFFFFF, FLAT_FLAGS, CUT - 0xB7F01000 - 1},
	        {CUT - 0x100, 0xFF, DESCRIPTOR_32BIT, 0xFF},
	        {CUT - 0x100, 0x100, DESCRIPTOR_32BIT, 0xFF},
	        {CUT - 0x100, 0xFFFFF, DESCRIPTOR_32BIT, 0xFF},
	        {CUT - 1, 0, DESCRIPTOR_32BIT, 0},
	};
	struct descriptor shadow;

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		CHECK(compression_make(
		        guest(rows[i].base, rows[i].field, DESCRIPTOR_DATA, rows[i].flags), CUT,
		        &shadow));
		CHECK_EQ(shadow_of(&shadow).limit, rows[i].limit);
		CHECK_EQ(shadow_of(&shadow).base, rows[i].base);
	}
}

TEST(without_a_cut_limits_stay)
{
	struct descriptor shadow;

	CHECK(compression_make(guest(0xFFFFF000, 0xFFFFF, DESCRIPTOR_CODE, FLAT_FLAGS),
	                       COMPRESSION_NO_CUT, &shadow));
	CHECK_EQ(shadow_of(&shadow).limit, 0xFFFFFFFF);
}

TEST(what_has_no_safe_equivalent_is_refused)
{
	const struct segments_descriptor refused[] = {
	        guest(CUT, 0, DESCRIPTOR_DATA, DESCRIPTOR_32BIT),
	        guest(0xFFFFFFFF, 0xFFFFF, DESCRIPTOR_DATA, FLAT_FLAGS),
	        guest(CUT - 0xFFF, 0xFFFFF, DESCRIPTOR_DATA, FLAT_FLAGS),
	        guest(0, 0xFF, DESCRIPTOR_DATA | 4, FLAT_FLAGS),     /* expands down */
	        guest(0, 0xFF, DESCRIPTOR_DATA & ~1, FLAT_FLAGS),    /* not accessed */
	        guest(0, 0xFF, DESCRIPTOR_DATA & ~0x80, FLAT_FLAGS), /* absent */
	        guest(0, 0xFF, DESCRIPTOR_TSS, 0),
	        guest(0, 0xFF, DESCRIPTOR_LDT, 0),
	};
	struct descriptor shadow;

	for (unsigned int i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		CHECK(!compression_make(refused[i], CUT, &shadow));
}

TEST(no_random_descriptor_reaches_behind_the_cut)
{
	uint32_t seed = 1;
	unsigned int made = 0;

	for (unsigned int i = 0; i < 1000000; i++) {
		struct segments_descriptor words;
		struct vcpu_segment_register segment;
		struct descriptor shadow;

		seed = seed * 1664525 + 1013904223;
		words.low = seed ^ seed >> 15;
		seed = seed * 1664525 + 1013904223;
		words.high = (seed ^ seed >> 13) | 0x9100;
		if (!compression_make(words, CUT, &shadow))
			continue;
		made++;
		segment = shadow_of(&shadow);
		CHECK((uint64_t)segment.base + segment.limit < CUT);
		CHECK(segments_dpl(&segment) >= 1);
		CHECK(segment.limit <= segments_unpack(0, words).limit);
		CHECK_EQ(segment.base, segments_unpack(0, words).base);
	}
	CHECK(made > 100000);
}

/* What a register holds, cut or not; `limit` is that of the twin. */
static void check_twin(uint32_t base, uint32_t held, uint16_t attributes, uint32_t cut,
                       uint32_t limit)
{
	const struct vcpu_segment_register segment = {
	        .attributes = attributes, .usable = true, .base = base, .limit = held};
	struct descriptor twin;

	CHECK(compression_make_twin(&segment, cut, &twin));
	struct vcpu_segment_register made = shadow_of(&twin);
	CHECK_EQ(made.base, base);
	CHECK_EQ(made.limit, limit);
	CHECK_EQ(segments_dpl(&made), 1);
}

TEST(a_twin_ends_below_the_cut)
{
	const uint16_t wide = 0xC093, narrow = 0x4093;

	check_twin(0, 0xFFFFFFFF, wide, CUT, CUT - 1);
	check_twin(0x100, 0xFFFFF, narrow, CUT, 0xFFFFF);
	check_twin(CUT - 0x10, 0xFFFFF, narrow, CUT, 0xF);
	check_twin(0, 0xFFFFFFFF, wide, COMPRESSION_NO_CUT, 0xFFFFFFFF);
	check_twin(0, 0xFFFFFFFF, wide | 0x60, CUT, CUT - 1);
}

TEST(what_has_no_safe_twin_is_refused)
{
	const struct vcpu_segment_register refused[] = {
	        {.attributes = 0xC093, .usable = false, .limit = 0xFFFFFFFF},
	        {.attributes = 0xC097, .usable = true, .limit = 0xFFF}, /* expands down */
	        {.attributes = 0xC093, .usable = true, .base = CUT, .limit = 0xFFF},
	        {.attributes = 0xC093, .usable = true, .base = CUT - 0xFFF, .limit = 0xFFFFFFFF},
	};
	struct descriptor twin;

	for (unsigned int i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		CHECK(!compression_make_twin(&refused[i], CUT, &twin));
}

TEST(selectors_of_code_and_stack_name_the_real_ring)
{
	CHECK_EQ(compression_selector(0x08, 0), 0x09);
	CHECK_EQ(compression_selector(0x0C, 0), 0x0D);
	CHECK_EQ(compression_selector(0x1B, 3), 0x1B);
}

UNIT_MAIN
