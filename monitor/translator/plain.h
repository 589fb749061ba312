/* Instructions of which the translator wants to know nothing but how long they are.
 *
 * Most of a kernel is copied whatever its operands say, and has neither prefix nor a rule of its
 * own. For those a look-up by the opcode and five bits of ModRM gives the length, and the decoder
 * is not asked. The table is made by asking it, so it knows nothing that opcodes.def does not. */
#ifndef MONITOR_TRANSLATOR_PLAIN_H
#define MONITOR_TRANSLATOR_PLAIN_H

#include <stdint.h>

struct translator;

#define PLAIN_OPCODES 256
#define PLAIN_REGS    8
#define PLAIN_FORMS   (4 * PLAIN_REGS) /* mod and reg of ModRM */

/* Bytes that must lie behind the first one for plain_length to look at them. */
#define PLAIN_WINDOW 16

#define PLAIN_LENGTH 0x1Fu
#define PLAIN_MEMORY 0x80u /* mod is not 3: a SIB byte and more may follow */

/* The length with neither SIB nor an address without a base, or 0: ask the decoder. Where there is
 * no ModRM all forms are the same. */
struct plain {
	uint8_t base[PLAIN_OPCODES][PLAIN_FORMS];
	uint8_t escaped[PLAIN_OPCODES][PLAIN_FORMS]; /* behind 0F */
};

/* From the rules, which stand already. */
void plain_start(struct translator *t);

#define PLAIN_ESCAPE 0x0Fu
#define PLAIN_SIB    4u /* in rm; in the base of SIB and in rm: */
#define PLAIN_NO_EBP 5u /* with mod 0, four bytes of address and no base */

/* 0 when it is not one of them. */
static inline uint32_t plain_length(const struct plain *plain, const uint8_t *bytes)
{
	const uint8_t(*table)[PLAIN_FORMS] = plain->base;
	uint32_t length, modrm;

	if (bytes[0] == PLAIN_ESCAPE) {
		table = plain->escaped;
		bytes++;
	}
	modrm = bytes[1];
	length = table[bytes[0]][modrm >> 3];
	if (!(length & PLAIN_MEMORY))
		return length;
	length &= PLAIN_LENGTH;
	if ((modrm & 7) == PLAIN_SIB) {
		length++;
		modrm = (modrm & 0xC0) | (bytes[2] & 7);
	}
	return (modrm & 0xC7) == PLAIN_NO_EBP ? length + 4 : length;
}

#endif
