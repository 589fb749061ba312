#include "guest/library/cpu.h"
#include "guest/library/paging.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

/* sgdt and sidt trap nowhere but under UMIP: they may tell where somebody else's tables are. */
SNIPPET(tell_gdt, "subl $8, %esp; sgdt 2(%esp); movl 4(%esp), %eax; addl $8, %esp");
SNIPPET(tell_idt, "subl $8, %esp; sidt 2(%esp); movl 4(%esp), %eax; addl $8, %esp");
SNIPPET(write_same, "movb (%ecx), %al; movb %al, (%ecx); movzbl %al, %eax");
SNIPPET(write_only, "movb $0, (%ecx); xorl %eax, %eax");

static struct paging paging;

/* What the guest has mapped there is its own, and everything else is not there: not to be written,
 * which a processor without segment limits leaves to page tables. */
static void try_write(unsigned ring, catch_function *write, uint32_t at, const char *what)
{
	struct outcome outcome = call_in_ring(ring, write, at);

	test_page_fault(outcome, FAULT_WRITE | (ring ? FAULT_USER : 0), at, what);
}

static void check_table(unsigned ring, catch_function *tell, uint32_t own, const char *name)
{
	struct outcome outcome = call_in_ring(ring, tell, 0);

	print("     %s from ring %u\n", name, ring);
	if (outcome.trapped) {
		test_traps(outcome, VECTOR_GP, 0, "is refused");
		return;
	}
	if (outcome.value == own) {
		test_returns(call_in_ring(0, write_same, own), "is the guest's own, and writable");
		return;
	}
	try_write(ring, write_only, outcome.value, "is not the guest's, and not to be written");
	try_write(ring, write_only, outcome.value + 0x80, "nor is what lies behind");
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("told", "a table that sgdt or sidt tells of is the guest's own, or cannot be "
	                   "written");
	paging = paging_create(PAGING_TWO_LEVEL);
	paging_map_identity(&paging, PAGE_PRESENT | PAGE_WRITE | PAGE_USER);
	paging_enable(&paging, CR0_WP);
	for (unsigned ring = 0; ring < 4; ring += 3) {
		check_table(ring, tell_gdt, segments_gdtr().base, "sgdt");
		check_table(ring, tell_idt, traps_idtr().base, "sidt");
	}
	test_end();
}
