#include "kernel/probes.h"

#include "kernel/descriptors.h"
#include "kernel/exception_table.h"
#include "kernel/log.h"
#include "kernel/processor.h"
#include "kernel/segments.h"
#include "kernel/x86.h"

#define SHORT_LIMIT 0x0F

struct probes probes;

/* A segment over the first 16 bytes of `bytes`; the byte after them is there, but out of bounds. */
static bool limits_are_enforced(void)
{
	static const uint8_t bytes[SHORT_LIMIT + 2] = {[SHORT_LIMIT + 1] = 0xA5};
	uint32_t past = SHORT_LIMIT + 1, faulted = 1, value = 0;

	segments_set_spare(
	        descriptor_make((uint32_t)bytes, SHORT_LIMIT, DESCRIPTOR_DATA, DESCRIPTOR_32BIT));
	__asm__ volatile("mov %2, %%fs\n\t"
	                 "1: movzbl %%fs:(%3), %1\n\t"
	                 "xorl %0, %0\n"
	                 "2: mov %4, %%fs\n\t" EXCEPTION_TABLE_ENTRY(2b)
	                 : "+&r"(faulted), "+&r"(value)
	                 : "r"(SEGMENT_SPARE), "r"(past), "r"(SEGMENT_DATA));
	segments_set_spare((struct descriptor){0});
	return faulted;
}

/* Asking first matters: QEMU's TCG hangs when a bit is set that CPUID lacks. */
static bool control_bit_works(enum processor_feature feature, uint32_t bits)
{
	uint32_t before = x86_read_cr4();

	if (!processor_has(feature))
		return false;
	x86_write_cr4(before | bits);
	bool works = (x86_read_cr4() & bits) == bits;
	x86_write_cr4(before);
	return works;
}

static void say(const char *name, bool works, const char *when_yes, const char *when_no)
{
	log_info("probe", "%s %s=%s", works ? when_yes : when_no, name, works ? "yes" : "no");
}

void probes_start(void)
{
	probes.segment_limits = limits_are_enforced();
	probes.umip = control_bit_works(PROCESSOR_UMIP, CR4_UMIP);
	probes.nx = processor_has(PROCESSOR_NX) && (x86_read_msr(MSR_EFER) & EFER_NXE);
	probes.pge = control_bit_works(PROCESSOR_PGE, CR4_PGE);
	probes.sse = processor_has(PROCESSOR_FXSR) &&
	             control_bit_works(PROCESSOR_SSE, CR4_OSFXSR | CR4_OSXMMEXCPT);

	say("segment-limits", probes.segment_limits, "segment limits are enforced on data access",
	    "segment limits are not enforced on data access");
	say("umip", probes.umip, "sgdt, sidt, sldt, str and smsw fault outside ring 0",
	    "sgdt, sidt, sldt, str and smsw tell every ring the truth");
	say("nx", probes.nx, "data cannot be executed", "data can be executed");
	say("pge", probes.pge, "global pages survive a load of CR3", "there are no global pages");
	say("sse", probes.sse, "SSE registers can be saved and restored",
	    "there are no SSE registers");
	log_info("probe", "%s protection=%s", probes_describe_protection(),
	         probes.segment_limits ? "limits" : "paging");
}

const char *probes_describe_protection(void)
{
	return probes.segment_limits
	               ? "the monitor is protected by truncated segments and by page tables"
	               : "the monitor is protected by page tables alone, because this processor "
	                 "does not enforce segment limits";
}
