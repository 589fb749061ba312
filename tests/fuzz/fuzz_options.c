/* The boot options: any text gives values of their lists, or one sentence. */
#include "kernel/options.h"
#include "kernel/text.h"
#include "tests/fuzz/fuzz.h"

static unsigned words_in(const char *values)
{
	unsigned words = 1;

	for (; *values; values++)
		words += *values == '|';
	return words;
}

#define IS_IN_CHOICE(value, values) MUST((value) < words_in(values))
#define IS_IN_NUMBER(value, values) (void)(value)
#define IS_IN_WORDS(value, values)  MUST((value) >> words_in(values) == 0)

static void look_through(const struct options *options_read)
{
#define OPTION(field, name, kind, initial, values, help) IS_IN_##kind(options_read->field, values);
#include "kernel/options.def"
#undef OPTION
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct options read;
	char problem[256] = "";
	char *line = malloc(size + 1);

	memcpy(line, data, size);
	line[size] = 0;
	if (options_parse(&read, line, problem, sizeof(problem)))
		look_through(&read);
	else
		MUST(problem[0] && memchr(problem, 0, sizeof(problem)));
	free(line);
	return 0;
}
