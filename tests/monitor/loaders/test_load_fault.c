/* The sentences of the faults: numbers in their places, and never past the buffer. */
#include "monitor/loaders/load_fault.h"
#include "tests/unit.h"

TEST(load_fault_puts_the_numbers_in)
{
	struct load_fault fault = {LOAD_FAULT_SEGMENT_OVERLAP, {4294967295U, 0, 0xABCDEF09, 0x10}};
	char text[200];

	load_fault_write(&fault, text, sizeof(text));
	CHECK_STR(text,
	          "segment 4294967295 takes 0x0 bytes at 0xabcdef09, which overlaps another one at "
	          "0x10");
}

TEST(load_fault_is_cut_to_the_buffer)
{
	struct load_fault fault = {LOAD_FAULT_NONE, {0}};
	char text[8] = "xxxxxxx";

	load_fault_write(&fault, text, 4);
	CHECK_STR(text, "not");
	CHECK_EQ(text[4], 'x');
	load_fault_write(&fault, text, 1);
	CHECK_STR(text, "");
}

TEST(load_fault_every_sentence_fits_and_uses_no_more_numbers_than_there_are)
{
#define LOAD_FAULT(name, sentence) sentence,
	static const char *const sentences[] = {
#include "monitor/loaders/load_fault.def"
	};
#undef LOAD_FAULT
	char text[200];

	for (unsigned i = 0; i < LOAD_FAULT_REASONS; i++) {
		struct load_fault fault = {(enum load_fault_reason)i, {1, 2, 3, 4}};
		unsigned numbers = 0;
		for (const char *at = sentences[i]; *at; at++) {
			numbers += *at == '%';
			CHECK(*at != '%' || at[1] == 'u' || at[1] == 'x');
		}
		CHECK(numbers <= LOAD_FAULT_NUMBERS);
		load_fault_write(&fault, text, sizeof(text));
		CHECK(strlen(text) < sizeof(text) - 40);
	}
}

UNIT_MAIN
