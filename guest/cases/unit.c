#include "guest/cases/unit.h"

#include "guest/cases/case.h"
#include "guest/cases/sum.h"
#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/print.h"

#define CONTROL_USUAL 0x037F /* all errors masked */
#define CONTROL_BITS  0x0F3F
#define CONTROL_FIXED 0x0040
#define ROUNDING      0x0C00
#define STATUS_BITS   0x7F7F /* without those that follow from the others */
#define STATUS_TOP    0x3800
#define MXCSR_USUAL   0x1F80
#define MXCSR_BITS    0xFFBF
#define MXCSR_ROUND   0x6000

#define EXPONENT_NEAR_1 0x3FE0
#define EXPONENT_MASK   0x803F
#define INTEGER_BIT     0x80000000u

#define WORDS_OF_REGISTERS 32u

/* As fxsave stores it. */
static struct {
	uint16_t control, status;
	uint8_t tags, reserved;
	uint16_t opcode;
	uint32_t eip, cs, operand, ds;
	uint32_t mxcsr, mxcsr_mask;
	uint32_t x87[WORDS_OF_REGISTERS], xmm[WORDS_OF_REGISTERS];
	uint32_t rest[56];
} image __attribute__((aligned(16)));
_Static_assert(sizeof(image) == 512, "the image of fxsave");

bool unit_is_there(void)
{
	uint32_t wanted = CPUID1_EDX_FXSR | CPUID1_EDX_SSE | CPUID1_EDX_SSE2;

	return (cpu_id(1, 0).edx & wanted) == wanted;
}

/* Mostly numbers near 1, so that results are numbers, too. */
static void make_numbers(uint32_t choice)
{
	for (unsigned i = 0; i < 8; i++, choice >>= 2) {
		uint32_t *number = &image.x87[4 * i];

		number[3] = 0;
		number[2] &= 0xFFFF;
		if (!(choice & 3))
			continue;
		number[1] |= INTEGER_BIT;
		number[2] = (number[2] & EXPONENT_MASK) | EXPONENT_NEAR_1;
	}
}

static void make_image(const uint32_t random[64])
{
	uint32_t a = random[3], b = random[7]; /* of what make_numbers() clears */

	memcpy(image.x87, random, sizeof(image.x87));
	memcpy(image.xmm, random + sizeof(image.x87) / sizeof(*random), sizeof(image.xmm));
	make_numbers(random[11]);
	image.control = (uint16_t)(a & 3 ? CONTROL_USUAL | (a >> 4 & ROUNDING)
	                                 : (a >> 4 & CONTROL_BITS) | CONTROL_FIXED);
	image.status = (uint16_t)(a >> 16 & (a & 12 ? STATUS_TOP : STATUS_BITS));
	image.tags = (uint8_t)(b & 1 ? b >> 8 : 0x3C);
	image.mxcsr = b & 6 ? MXCSR_USUAL | (b >> 4 & MXCSR_ROUND) : b >> 16 & MXCSR_BITS;
}

void unit_load(const uint32_t random[64], uint32_t cr0, uint32_t flags)
{
	uint32_t cr4 = cpu_read_cr4() & ~(CR4_OSFXSR | CR4_OSXMMEXCPT);

	make_image(random);
	cpu_write_cr4(cr4 | CR4_OSFXSR);
	__asm__ volatile("fninit; fxrstor %0" : : "m"(image));
	if (flags & CASE_UNIT_NO_SSE)
		cpu_write_cr4(cr4);
	else if (flags & CASE_UNIT_SSE_ERRORS)
		cpu_write_cr4(cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT);
	cr0 &= ~CR0_MP;
	if (flags & CASE_UNIT_MP)
		cr0 |= CR0_MP;
	if (flags & CASE_UNIT_TS)
		cr0 |= CR0_TS;
	if (flags & CASE_UNIT_EM)
		cr0 |= CR0_EM;
	cpu_write_cr0(cr0);
}

void unit_store(void)
{
	cpu_write_cr4(cpu_read_cr4() | CR4_OSFXSR);
	__asm__ volatile("fxsave %0" : "=m"(image));
}

uint32_t unit_sum(void)
{
	uint32_t sum = image.control ^ (uint32_t)image.status << 16;

	sum = sum_add(sum, image.tags);
	sum = sum_add(sum, image.mxcsr);
	return sum_words(sum, image.x87, 2 * WORDS_OF_REGISTERS);
}

void unit_show(void)
{
	print(" control=%03x status=%04x tags=%02x mxcsr=%04x", image.control, image.status,
	      image.tags, image.mxcsr);
	for (unsigned i = 0; i < 8; i++)
		print(" st%u=%04x%08x%08x", i, image.x87[4 * i + 2], image.x87[4 * i + 1],
		      image.x87[4 * i]);
	for (unsigned i = 0; i < 8; i++)
		print(" xmm%u=%08x%08x%08x%08x", i, image.xmm[4 * i + 3], image.xmm[4 * i + 2],
		      image.xmm[4 * i + 1], image.xmm[4 * i]);
}
