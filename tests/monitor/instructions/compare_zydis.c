/* Compares the decoder with Zydis, which was written by other people from the same manuals.
 *
 * Both decode the same bytes; what must agree stands in enum aspect. Cases are every opcode of
 * every map with every ModRM byte under every set of prefixes, every SIB byte, every truncation,
 * and random strings from a fixed seed. What differs is gathered by (aspect, our mnemonic, Zydis'
 * mnemonic) and must be exactly the list in compare_zydis_differences.def: a difference that is not
 * listed fails, and so does a listed one that no longer occurs.
 *
 *   compare_zydis [RANDOM_STRINGS [SEED]]      0 strings: the exhaustive part only */
#include <Zydis/Zydis.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/monitor/instructions/compare_zydis_aspects.h"

static const char *const aspect_names[ASPECT_COUNT] = {
        "VERDICT", "LENGTH", "MNEMONIC", "OPERANDS", "MEMORY", "PARTS", "CLASS", "FLAGS", "LOCKING",
};

struct difference {
	enum aspect aspect;
	const char *ours;
	const char *theirs;
	const char *reason;
	bool seen;
};

static struct difference differences[] = {
#define DIFFERENCE(aspect, ours, theirs, reason) {aspect, ours, theirs, reason, false},
#include "tests/monitor/instructions/compare_zydis_differences.def"
#undef DIFFERENCE
};

/* Mnemonics that we spell otherwise. */
static const char *const spellings[][2] = {
        {"jnb", "jae"},
        {"jnbe", "ja"},
        {"jnl", "jge"},
        {"jnle", "jg"},
        {"setnb", "setae"},
        {"setnbe", "seta"},
        {"setnl", "setge"},
        {"setnle", "setg"},
        {"cmovnb", "cmovae"},
        {"cmovnbe", "cmova"},
        {"cmovnl", "cmovge"},
        {"cmovnle", "cmovg"},
        {"feni8087_nop", "fneni"},
        {"fdisi8087_nop", "fndisi"},
        {"fsetpm287_nop", "fnsetpm"},
        {"pfsqrt", "pfrsqrt"},
        {"pfcpit1", "pfrcpit1"},
};

/* The verdicts other than DECODE_OK stand in for a mnemonic. */
#define NAMES_MAX 2048
static const char *names[NAMES_MAX] = {"(ok)", "(truncated)", "(undefined)", "(too long)"};
static unsigned int names_count = 4;
static uint16_t *name_of_row;
static uint16_t name_of_theirs[ZYDIS_MNEMONIC_MAX_VALUE + 1];

struct group {
	uint32_t count;
	uint8_t bytes[INSTRUCTION_MAX_LENGTH];
	uint8_t code_size;
};

static struct group groups[ASPECT_COUNT][NAMES_MAX][NAMES_MAX];
static ZydisDecoder decoders[2];
static uint64_t cases, cases_valid;

static uint16_t name_find(const char *name)
{
	for (unsigned int n = 0; n < names_count; n++)
		if (strcmp(names[n], name) == 0)
			return n;
	if (names_count == NAMES_MAX) {
		fprintf(stderr, "compare_zydis: more than %d mnemonics\n", NAMES_MAX);
		exit(1);
	}
	names[names_count] = strdup(name);
	return names_count++;
}

static void names_collect(void)
{
	name_of_row = calloc(opcode_rows_count, sizeof(*name_of_row));
	for (size_t row = 0; row < opcode_rows_count; row++)
		if (opcode_rows[row].mnemonic)
			name_of_row[row] = name_find(opcode_rows[row].mnemonic);
	for (unsigned int n = 1; n <= ZYDIS_MNEMONIC_MAX_VALUE; n++) {
		const char *name = ZydisMnemonicGetString(n);

		for (size_t s = 0; s < sizeof(spellings) / sizeof(spellings[0]); s++)
			if (strcmp(name, spellings[s][0]) == 0)
				name = spellings[s][1];
		name_of_theirs[n] = name_find(name);
	}
}

static enum decode_result verdict_of(ZyanStatus status)
{
	if (ZYAN_SUCCESS(status))
		return DECODE_OK;
	if (status == ZYDIS_STATUS_NO_MORE_DATA)
		return DECODE_TRUNCATED;
	return status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG ? DECODE_TOO_LONG : DECODE_UNDEFINED;
}

static void note(enum aspect aspect, unsigned int ours, unsigned int theirs, const uint8_t *bytes,
                 unsigned int code_size)
{
	struct group *group = &groups[aspect][ours][theirs];

	if (group->count++ == 0) {
		memcpy(group->bytes, bytes, INSTRUCTION_MAX_LENGTH);
		group->code_size = code_size;
	}
}

static void compare_valid(const struct instruction *ours, const struct theirs *theirs,
                          const uint8_t *bytes, unsigned int code_size)
{
	unsigned int our_name = name_of_row[ours->row];
	unsigned int their_name = name_of_theirs[theirs->instruction.mnemonic];
	bool agrees[ASPECT_COUNT];

	aspects_compare(ours, theirs, agrees);
	agrees[MNEMONIC] = our_name == their_name;
	cases_valid++;
	for (unsigned int aspect = 0; aspect < ASPECT_COUNT; aspect++)
		if (!agrees[aspect])
			note(aspect, our_name, their_name, bytes, code_size);
}

/* More than any instruction, so that the decoder need not copy what it is given. */
#define BUFFER 32

static void compare(const uint8_t *bytes, size_t available, unsigned int code_size)
{
	struct instruction ours;
	struct theirs theirs;
	enum decode_result our_verdict, their_verdict;

	cases++;
	our_verdict = instruction_decode(
	        bytes, available == INSTRUCTION_MAX_LENGTH ? BUFFER : available, code_size, &ours);
	their_verdict =
	        verdict_of(ZydisDecoderDecodeFull(&decoders[code_size == 32], bytes, available,
	                                          &theirs.instruction, theirs.operands));
	if (our_verdict == DECODE_OK && their_verdict == DECODE_OK)
		compare_valid(&ours, &theirs, bytes, code_size);
	else if (our_verdict != their_verdict)
		note(VERDICT, our_verdict ? our_verdict : name_of_row[ours.row],
		     their_verdict ? their_verdict : name_of_theirs[theirs.instruction.mnemonic],
		     bytes, code_size);
}

/* What the exhaustive part puts before an opcode: every set of the prefixes that change anything.
 */
static unsigned int make_prefixes(unsigned int set, uint8_t *bytes)
{
	static const uint8_t repeats[] = {0, 0xF2, 0xF3};
	unsigned int count = 0;

	if (set & 1)
		bytes[count++] = 0x66;
	if (set & 2)
		bytes[count++] = 0x67;
	if (set & 4)
		bytes[count++] = 0xF0;
	if (set & 8)
		bytes[count++] = set & 2 ? 0x3E : 0x64;
	if (repeats[set >> 4])
		bytes[count++] = repeats[set >> 4];
	return count;
}

#define PREFIX_SETS 48

/* Bytes behind an opcode that are as good as any others, but no two the same. */
static void fill(uint8_t *bytes, unsigned int from)
{
	for (unsigned int at = from; at < BUFFER; at++)
		bytes[at] = 0x91 + 0x13 * at;
}

/* One opcode, which may be several bytes, with every ModRM byte under every set of prefixes, and
 * with every SIB byte under four of them. */
static void compare_opcode(const uint8_t *opcode, unsigned int length, unsigned int code_size)
{
	uint8_t bytes[BUFFER];

	for (unsigned int set = 0; set < PREFIX_SETS; set++) {
		unsigned int at = make_prefixes(set, bytes);

		memcpy(bytes + at, opcode, length);
		at += length;
		for (unsigned int modrm = 0; modrm < 256; modrm++) {
			bool sibs = set < 4 && modrm < 0xC0 && (modrm & 7) == 4;

			fill(bytes, at);
			bytes[at] = modrm;
			for (unsigned int sib = 0; sib < (sibs ? 256 : 1); sib++) {
				if (sibs)
					bytes[at + 1] = sib;
				compare(bytes, INSTRUCTION_MAX_LENGTH, code_size);
			}
		}
	}
}

/* What leads to each map; the last byte of the three-byte VEX and XOP prefixes is varied apart. */
static void compare_legacy_maps(unsigned int code_size)
{
	static const uint8_t escapes[][3] = {{0}, {0x0F}, {0x0F, 0x38}, {0x0F, 0x3A}};
	uint8_t opcode[4];

	for (unsigned int map = 0; map < 4; map++) {
		unsigned int length = map < 2 ? map : 2;

		memcpy(opcode, escapes[map], length);
		for (unsigned int byte = 0; byte < 256; byte++) {
			opcode[length] = byte;
			compare_opcode(opcode, length + 1, code_size);
		}
	}
}

/* The vector prefixes with every value of what W, vvvv, L and pp can be, every opcode, and a ModRM
 * of each kind; every ModRM where nothing is refused because of those. */
static void compare_vector_maps(unsigned int code_size)
{
	static const uint8_t leads[][2] = {{0xC4, 0xE1}, {0xC4, 0xE2}, {0xC4, 0xE3}, {0xC4, 0xE0},
	                                   {0xC4, 0xE4}, {0x8F, 0xE8}, {0x8F, 0xE9}, {0x8F, 0xEA},
	                                   {0x8F, 0xEB}, {0xC4, 0xC1}, {0x8F, 0x08}};
	static const uint8_t modrms[] = {0x01, 0x44, 0x84, 0xC1, 0xD9,
	                                 0xE2, 0xF4, 0xFF, 0x2D, 0x35};
	uint8_t bytes[BUFFER];

	fill(bytes, 0);
	for (unsigned int lead = 0; lead < sizeof(leads) / sizeof(leads[0]); lead++) {
		for (unsigned int n = 0; n < 0x10000; n++) {
			memcpy(bytes, leads[lead], 2);
			bytes[2] = n >> 8;
			bytes[3] = n;
			for (unsigned int m = 0; m < sizeof(modrms); m++) {
				bytes[4] = modrms[m];
				compare(bytes, INSTRUCTION_MAX_LENGTH, code_size);
			}
		}
	}
	for (unsigned int n = 0; n < 0x400000; n++) {
		bytes[0] = 0xC5;
		bytes[1] = 0xC0 | n >> 16;
		bytes[2] = n >> 8;
		bytes[3] = n;
		compare(bytes, INSTRUCTION_MAX_LENGTH, code_size);
	}
	for (unsigned int n = 0; n < 8 * 0x10000; n++) {
		bytes[0] = 0x62;
		bytes[1] = 0xF0 | n >> 16;
		bytes[2] = 0x7C | (n & 0x80) | (n >> 4 & 3);
		bytes[3] = 0x08 | (n & 0x40);
		bytes[4] = n >> 8;
		bytes[5] = modrms[n % sizeof(modrms)];
		compare(bytes, INSTRUCTION_MAX_LENGTH, code_size);
	}
}

/* Every opcode, cut short at every length. */
static void compare_truncated(unsigned int code_size)
{
	uint8_t bytes[BUFFER];

	for (unsigned int n = 0; n < 4 * 256 * 256; n++) {
		unsigned int at = 0, map = n >> 16;

		if (map)
			bytes[at++] = 0x0F;
		if (map > 1)
			bytes[at++] = map == 2 ? 0x38 : 0x3A;
		bytes[at++] = n >> 8;
		bytes[at++] = n;
		fill(bytes, at);
		for (size_t available = 1; available < INSTRUCTION_MAX_LENGTH; available++)
			compare(bytes, available, code_size);
	}
}

/* One- and two-byte opcodes behind so many prefixes that they come to the limit of 15 bytes. */
static void compare_long(unsigned int code_size)
{
	for (unsigned int n = 0; n < 8 * 512; n++) {
		unsigned int at = 8 + (n >> 9);
		uint8_t bytes[BUFFER];

		fill(bytes, 0);
		memset(bytes, n & 1 ? 0x3E : 0xF2, at);
		if (n & 256)
			bytes[at++] = 0x0F;
		bytes[at] = n;
		for (unsigned int modrm = 0; modrm < 256; modrm += 5) {
			bytes[at + 1] = modrm;
			for (size_t available = 12; available <= INSTRUCTION_MAX_LENGTH;
			     available++)
				compare(bytes, available, code_size);
		}
	}
}

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Half of the strings are plain noise; the others begin with some prefixes, and with 0F more often
 * than chance would have it. */
static void compare_random(uint64_t count, uint64_t seed)
{
	static const uint8_t prefixes[] = {0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65,
	                                   0x66, 0x67, 0xF0, 0xF2, 0xF3};
	uint64_t state = seed;
	uint64_t words[2];
	uint8_t bytes[BUFFER];

	fill(bytes, 0);
	for (uint64_t n = 0; n < count; n++) {
		unsigned int at = 0;
		uint64_t choice = random_next(&state);

		words[0] = random_next(&state);
		words[1] = random_next(&state);
		memcpy(bytes, words, sizeof(words));
		if (choice & 1) {
			for (choice >>= 1; (choice & 3) && at < 15;
			     choice = choice >> 2 | choice << 62)
				bytes[at] = prefixes[bytes[at] % sizeof(prefixes)], at++;
			if (choice & 4 && at < 15)
				bytes[at] = 0x0F;
		}
		compare(bytes,
		        choice >> 40 & 7 ? INSTRUCTION_MAX_LENGTH
		                         : 1 + (choice >> 32) % INSTRUCTION_MAX_LENGTH,
		        n & 1 ? 32 : 16);
	}
}

/* A name in the list may be "*". */
static bool name_matches(const char *pattern, unsigned int name)
{
	return strcmp(pattern, "*") == 0 || strcmp(pattern, names[name]) == 0;
}

static struct difference *difference_find(enum aspect aspect, unsigned int ours,
                                          unsigned int theirs)
{
	for (size_t n = 0; n < sizeof(differences) / sizeof(differences[0]); n++)
		if (differences[n].aspect == aspect && name_matches(differences[n].ours, ours) &&
		    name_matches(differences[n].theirs, theirs))
			return &differences[n];
	return NULL;
}

static void group_print(enum aspect aspect, unsigned int ours, unsigned int theirs)
{
	const struct group *group = &groups[aspect][ours][theirs];

	printf("not listed: DIFFERENCE(%s, \"%s\", \"%s\", ...) %u times, first in %u-bit code:",
	       aspect_names[aspect], names[ours], names[theirs], group->count, group->code_size);
	for (unsigned int at = 0; at < INSTRUCTION_MAX_LENGTH; at++)
		printf(" %02x", group->bytes[at]);
	printf("\n");
}

/* Returns how many differences are not listed or listed in vain. */
static unsigned int differences_report(uint64_t *explained)
{
	unsigned int wrong = 0;

	for (unsigned int aspect = 0; aspect < ASPECT_COUNT; aspect++) {
		for (unsigned int n = 0; n < names_count * names_count; n++) {
			unsigned int ours = n / names_count, theirs = n % names_count;
			struct difference *listed;

			if (!groups[aspect][ours][theirs].count)
				continue;
			listed = difference_find(aspect, ours, theirs);
			if (listed) {
				listed->seen = true;
				*explained += groups[aspect][ours][theirs].count;
			} else {
				group_print(aspect, ours, theirs);
				wrong++;
			}
		}
	}
	for (size_t n = 0; n < sizeof(differences) / sizeof(differences[0]); n++) {
		if (!differences[n].seen) {
			printf("listed, but does not occur: DIFFERENCE(%s, \"%s\", \"%s\")\n",
			       aspect_names[differences[n].aspect], differences[n].ours,
			       differences[n].theirs);
			wrong++;
		}
	}
	return wrong;
}

int main(int argc, char **argv)
{
	uint64_t strings = argc > 1 ? strtoull(argv[1], NULL, 0) : 10000000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 0x52494E4746454E43;
	uint64_t explained = 0;
	unsigned int wrong;

	names_collect();
	for (unsigned int n = 0; n < 2; n++) {
		ZydisDecoderInit(&decoders[n],
		                 n ? ZYDIS_MACHINE_MODE_LEGACY_32 : ZYDIS_MACHINE_MODE_LEGACY_16,
		                 n ? ZYDIS_STACK_WIDTH_32 : ZYDIS_STACK_WIDTH_16);
		/* MPX has left the processors; its opcodes are no-operations again. */
		ZydisDecoderEnableMode(&decoders[n], ZYDIS_DECODER_MODE_MPX, false);
	}
	for (unsigned int code_size = 16; code_size <= 32; code_size += 16) {
		compare_legacy_maps(code_size);
		compare_vector_maps(code_size);
		compare_truncated(code_size);
		compare_long(code_size);
	}
	compare_random(strings, seed);
	wrong = differences_report(&explained);
	printf("compare-decoder: %llu cases (%llu valid, %llu random from seed 0x%llx), %llu "
	       "listed "
	       "differences of %zu kinds, %u wrong\n",
	       (unsigned long long)cases, (unsigned long long)cases_valid,
	       (unsigned long long)strings, (unsigned long long)seed, (unsigned long long)explained,
	       sizeof(differences) / sizeof(differences[0]), wrong);
	return wrong != 0;
}
