#include "monitor/loaders/load_fault.h"

#define LOAD_FAULT(name, sentence) sentence,
static const char *const sentences[] = {
#include "monitor/loaders/load_fault.def"
};
#undef LOAD_FAULT

struct writer {
	char *at, *end;
};

static void write_character(struct writer *writer, char character)
{
	if (writer->at < writer->end)
		*writer->at++ = character;
}

static void write_number(struct writer *writer, uint32_t number, uint32_t base)
{
	char digits[10];
	unsigned count = 0;

	do {
		digits[count++] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number);
	while (count)
		write_character(writer, digits[--count]);
}

void load_fault_write(const struct load_fault *fault, char *buffer, size_t size)
{
	struct writer writer = {buffer, buffer + size - 1};
	const uint32_t *number = fault->number;

	for (const char *text = sentences[fault->reason]; *text; text++) {
		if (*text == '%')
			write_number(&writer, *number++, *++text == 'x' ? 16 : 10);
		else
			write_character(&writer, *text);
	}
	*writer.at = 0;
}
