#include "monitor/run/describe.h"

#include "kernel/print.h"
#include "monitor/instructions/decode.h"
#include "monitor/instructions/disassemble.h"
#include "monitor/memory/linear.h"

#define LINE_MAX 160

static void say(void (*line)(const char *text), const char *format, ...) PRINT_FORMAT(2, 3);
static void say(void (*line)(const char *text), const char *format, ...)
{
	char text[LINE_MAX];
	va_list arguments;

	va_start(arguments, format);
	print_list_to_buffer(text, sizeof(text), format, arguments);
	va_end(arguments);
	line(text);
}

static void name_flags(uint32_t eflags, char *text, size_t size)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} flags[] = {
	        {VCPU_EFLAGS_CF, "CF"}, {VCPU_EFLAGS_PF, "PF"}, {VCPU_EFLAGS_AF, "AF"},
	        {VCPU_EFLAGS_ZF, "ZF"}, {VCPU_EFLAGS_SF, "SF"}, {VCPU_EFLAGS_TF, "TF"},
	        {VCPU_EFLAGS_IF, "IF"}, {VCPU_EFLAGS_DF, "DF"}, {VCPU_EFLAGS_OF, "OF"},
	        {VCPU_EFLAGS_NT, "NT"}, {VCPU_EFLAGS_RF, "RF"}, {VCPU_EFLAGS_VM, "VM"},
	        {VCPU_EFLAGS_AC, "AC"},
	};
	size_t used = print_to_buffer(text, size, "IOPL=%u", (eflags & VCPU_EFLAGS_IOPL) >> 12);

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (eflags & flags[i].flag)
			used += print_to_buffer(text + used, size - used, " %s", flags[i].name);
}

static void describe_segment(const char *name, const struct vcpu_segment_register *segment,
                             void (*line)(const char *text))
{
	bool memory = segment->attributes & VCPU_ATTRIBUTE_S;
	bool code = memory && (segment->attributes & VCPU_ATTRIBUTE_CODE);

	if (!segment->usable) {
		say(line, "%s=%04x null", name, segment->selector);
		return;
	}
	say(line, "%s=%04x base=%08x limit=%08x DPL=%u %s-bit %s", name, segment->selector,
	    segment->base, segment->limit, (segment->attributes >> VCPU_ATTRIBUTE_DPL_SHIFT) & 3,
	    segment->attributes & VCPU_ATTRIBUTE_BIG ? "32" : "16",
	    code     ? "code"
	    : memory ? "data"
	             : "system");
}

void describe_vcpu(const struct vcpu *vcpu, void (*line)(const char *text))
{
	static const char *const names[VCPU_SEGMENTS] = {"es", "cs", "ss", "ds", "fs", "gs"};
	const uint32_t *r = vcpu->registers;
	char flags[64];

	name_flags(vcpu->eflags, flags, sizeof(flags));
	say(line, "eax=%08x ebx=%08x ecx=%08x edx=%08x", r[VCPU_EAX], r[VCPU_EBX], r[VCPU_ECX],
	    r[VCPU_EDX]);
	say(line, "esi=%08x edi=%08x ebp=%08x esp=%08x", r[VCPU_ESI], r[VCPU_EDI], r[VCPU_EBP],
	    r[VCPU_ESP]);
	say(line, "eip=%08x eflags=%08x %s CPL=%u", vcpu->eip, vcpu->eflags, flags, vcpu->cpl);
	for (int i = 0; i < VCPU_SEGMENTS; i++)
		describe_segment(names[i], &vcpu->segments[i], line);
	describe_segment("ldtr", &vcpu->ldtr, line);
	describe_segment("tr", &vcpu->tr, line);
	say(line, "gdtr=%08x+%04x idtr=%08x+%04x", vcpu->gdtr.base, vcpu->gdtr.limit,
	    vcpu->idtr.base, vcpu->idtr.limit);
	say(line, "cr0=%08x cr2=%08x cr3=%08x cr4=%08x", vcpu->cr0, vcpu->cr2, vcpu->cr3,
	    vcpu->cr4);
}

static bool disassemble(const uint8_t *bytes, size_t count, unsigned int code_size,
                        uint32_t address, char *text, size_t size)
{
	struct instruction in;

	text[0] = 0;
	if (instruction_decode(bytes, count, code_size, &in) != DECODE_OK)
		return false;
	instruction_disassemble(&in, address, text, size);
	return true;
}

bool describe_code(const uint8_t *bytes, size_t count, uint32_t address, char *text, size_t size)
{
	return disassemble(bytes, count, 32, address, text, size);
}

/* Looking must not be felt: a fetch that faults would otherwise be the guest's own fault. */
void describe_instruction(struct vcpu *vcpu, void (*line)(const char *text))
{
	const struct vcpu_event event = vcpu->event;
	const uint32_t cr2 = vcpu->cr2;
	const struct vcpu_segment_register *cs = &vcpu->segments[VCPU_CS];
	unsigned int code_size = cs->attributes & VCPU_ATTRIBUTE_BIG ? 32 : 16;
	uint8_t bytes[INSTRUCTION_MAX_LENGTH];
	char hex[INSTRUCTION_MAX_LENGTH * 3 + 1] = "", text[DISASSEMBLE_TEXT_SIZE];
	size_t used = 0;
	size_t got = linear_fetch(vcpu, gva(cs->base + vcpu->eip), bytes, sizeof(bytes));

	vcpu->event = event;
	vcpu->cr2 = cr2;
	for (size_t i = 0; i < got; i++)
		used += print_to_buffer(hex + used, sizeof(hex) - used, "%02x ", bytes[i]);
	say(line, "code at eip: %s", got ? hex : "not readable");
	if (disassemble(bytes, got, code_size, vcpu->eip, text, sizeof(text)))
		say(line, "instruction at eip: %s", text);
}
