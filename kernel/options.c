#include "kernel/options.h"

#include "kernel/print.h"
#include "kernel/text.h"

enum option_kind { CHOICE, NUMBER, WORDS };

struct option_row {
	const char *name;
	enum option_kind kind;
	size_t offset;
	const char *values;
};

static const struct option_row rows[] = {
#define OPTION(field, name, kind, initial, values, help) \
	{name, kind, offsetof(struct options, field), values},
#include "kernel/options.def"
#undef OPTION
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct options defaults = {
#define OPTION(field, name, kind, initial, values, help) .field = initial,
#include "kernel/options.def"
#undef OPTION
};

struct options options = {
#define OPTION(field, name, kind, initial, values, help) .field = initial,
#include "kernel/options.def"
#undef OPTION
};

#define WORD_MAX 80

/* Names at most this many changed letters away are worth showing. */
#define NEAR 3

static const struct option_row *find_row(const char *name)
{
	for (size_t i = 0; i < ROWS; i++)
		if (text_equal(rows[i].name, name))
			return &rows[i];
	return NULL;
}

/* All names, with what stands between two of them. */
static const char all_names[] =
#define OPTION(field, name, kind, initial, values, help) ", " name
#include "kernel/options.def"
#undef OPTION
        ;

static void refuse_unknown(const char *name, char *problem, size_t size)
{
	char names[sizeof(all_names)];
	size_t used = 0, near_ones = 0;

	for (size_t i = 0; i < ROWS; i++)
		near_ones += text_distance(name, rows[i].name) <= NEAR;
	for (size_t i = 0; i < ROWS; i++) {
		if (near_ones && text_distance(name, rows[i].name) > NEAR)
			continue;
		used += print_to_buffer(names + used, sizeof(names) - used, "%s%s",
		                        used ? ", " : "", rows[i].name);
	}
	print_to_buffer(problem, size, "there is no boot option \"%s\"; %s %s", name,
	                near_ones ? "did you mean" : "there are", names);
}

static size_t length_up_to(const char *text, char end)
{
	size_t length = 0;

	while (text[length] && text[length] != end)
		length++;
	return length;
}

static bool match_choice(const char *values, const char *word, size_t word_length, uint32_t *index)
{
	for (*index = 0; *values; (*index)++) {
		size_t length = length_up_to(values, '|'), i = 0;

		while (i < length && i < word_length && word[i] == values[i])
			i++;
		if (i == length && i == word_length)
			return true;
		values += length + (values[length] == '|');
	}
	return false;
}

static bool match_words(const char *values, const char *words, uint32_t *bits)
{
	uint32_t index;

	*bits = 0;
	for (;; words++) {
		size_t length = length_up_to(words, ',');

		if (!match_choice(values, words, length, &index))
			return false;
		*bits |= 1u << index;
		words += length;
		if (!*words)
			return true;
	}
}

static bool parse_value(const struct option_row *row, const char *word, uint32_t *value)
{
	switch (row->kind) {
	case CHOICE:
		return match_choice(row->values, word, length_up_to(word, 0), value);
	case WORDS:
		return match_words(row->values, word, value);
	default:
		return text_to_number(word, value);
	}
}

/* What asks whether, and mostly is not wanted, may be given as its name alone. */
static bool means_yes(const struct option_row *row)
{
	uint32_t first = 0;

	return row->kind == CHOICE && match_choice(row->values, "no", 2, &first) && first == 0;
}

static bool parse_word(struct options *into, char *word, uint32_t *seen, char *problem, size_t size)
{
	char *value = word;

	while (*value && *value != '=')
		value++;
	bool has_value = *value == '=';
	if (has_value)
		*value++ = 0;

	const struct option_row *row = find_row(word);
	if (!row) {
		refuse_unknown(word, problem, size);
		return false;
	}
	uint32_t *field = (uint32_t *)((char *)into + row->offset);
	bool good = has_value        ? parse_value(row, value, field)
	            : means_yes(row) ? parse_value(row, "yes", field)
	                             : false;
	if (!good) {
		print_to_buffer(problem, size, "the boot option \"%s\" needs %s=%s, not \"%s\"",
		                word, word, row->values, has_value ? value : "");
		return false;
	}
	uint32_t bit = 1u << (row - rows);
	if (*seen & bit) {
		print_to_buffer(problem, size, "the boot option \"%s\" is given twice", word);
		return false;
	}
	*seen |= bit;
	return true;
}

static const char *next_word(const char *at, char *word, size_t *length)
{
	while (*at == ' ' || *at == '\t')
		at++;
	for (*length = 0; *at && *at != ' ' && *at != '\t'; at++, ++*length)
		if (*length < WORD_MAX)
			word[*length] = *at;
	word[*length < WORD_MAX ? *length : WORD_MAX] = 0;
	return at;
}

bool options_parse(struct options *into, const char *command_line, char *problem, size_t size)
{
	char word[WORD_MAX + 1];
	uint32_t seen = 0;
	size_t length;

	_Static_assert(ROWS <= 32, "one bit of `seen` an option");
	*into = defaults;
	for (;;) {
		command_line = next_word(command_line, word, &length);
		if (!length)
			return true;
		if (length > WORD_MAX) {
			print_to_buffer(problem, size,
			                "the boot option \"%.20s...\" is longer than the %d "
			                "characters that a boot option may have",
			                word, WORD_MAX);
			return false;
		}
		if (!parse_word(into, word, &seen, problem, size))
			return false;
	}
}
