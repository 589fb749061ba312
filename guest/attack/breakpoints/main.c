#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/paging.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define BORDER   0xFFC00000u
#define IDENTITY (PAGE_PRESENT | PAGE_WRITE | PAGE_USER)
#define VECTOR   0x90

#define DR7_ENABLE(n)  (2u << 2 * (n)) /* global */
#define DR7_EXECUTE(n) (0u << (16 + 4 * (n)))
#define DR7_WRITE(n)   (0xDu << (16 + 4 * (n))) /* four bytes */
#define DR7_ACCESS(n)  (0xFu << (16 + 4 * (n)))
#define DR6_MET(n)     (1u << (n))
#define DR6_ANY        0xFu

SNIPPET(read, "movl (%ecx), %eax");
SNIPPET(write, "movl $0x55, (%ecx)");
SNIPPET(call_there, "call *%ecx");
SNIPPET(use_int, "int $0x90");

static struct paging paging;
static uint8_t *page;

static void set(unsigned number, uint32_t address, uint32_t kind)
{
	switch (number) {
	case 0:
		cpu_write_dr0(address);
		break;
	case 1:
		cpu_write_dr1(address);
		break;
	case 2:
		cpu_write_dr2(address);
		break;
	default:
		cpu_write_dr3(address);
	}
	cpu_write_dr6(0);
	cpu_write_dr7(kind | DR7_ENABLE(number));
}

static void check_met(struct outcome outcome, unsigned number, const char *what)
{
	uint32_t met = cpu_read_dr6();
	cpu_write_dr7(0);
	test_traps(outcome, VECTOR_DB, 0, what);
	test_check((met & DR6_ANY) == DR6_MET(number), "%s: DR6 says which", what);
}

static void check_at(unsigned ring, unsigned number, uint32_t at)
{
	static const uint8_t code[] = {0x90, 0xC3}; /* nop; ret */
	struct outcome outcome;
	print("     ring %u: DR%u is %x\n", ring, number, at);
	set(number, at, DR7_WRITE(number));
	test_returns(call_in_ring(ring, read, at), "a read is not a write");
	test_returns(call_in_ring(ring, write, at - 8), "a write beside it");
	check_met(call_in_ring(ring, write, at), number, "a write");
	set(number, at, DR7_ACCESS(number));
	check_met(call_in_ring(ring, read, at), number, "a read");
	memcpy(page + at % PAGE_SIZE, code, sizeof(code));
	set(number, at, DR7_EXECUTE(number));
	outcome = call_in_ring(ring, call_there, at);
	check_met(outcome, number, "an instruction there");
	test_check(outcome.frame.eip == at, "before it runs");
	/* Nothing that traps, faults or comes back goes by there. */
	paging_map(&paging, at, 0, 0);
	cpu_flush_page(at);
	set(number, at, DR7_ACCESS(number));
	test_returns(call_in_ring(ring, use_int, 0), "int and back meet nothing");
	test_page_fault(call_in_ring(ring, read, at), ring == 3 ? FAULT_USER : 0, at,
	                "a read where no page is");
	test_check(!(cpu_read_dr6() & DR6_ANY), "and no watchpoint was met");
	cpu_write_dr7(0);
	paging_map(&paging, at, (uint32_t)(uintptr_t)page, IDENTITY);
	cpu_flush_page(at);
}

static void on_vector(struct trap_frame *frame)
{
	(void)frame;
}

void guest_main(const struct boot_info *boot)
{
	static const uint32_t places[] = {BORDER, BORDER + 0x1230, 0xFFD00010u, 0xFFFFFFF8u};
	(void)boot;
	test_begin("breakpoints", "watchpoints on the last 4 MB are met by what the guest does "
	                          "there, and by nothing else");
	page = page_take();
	paging = paging_create(PAGING_TWO_LEVEL);
	paging_map_identity(&paging, IDENTITY);
	paging_map(&paging, BORDER - PAGE_SIZE, (uint32_t)(uintptr_t)page, IDENTITY);
	for (unsigned i = 0; i < 4; i++)
		paging_map(&paging, places[i], (uint32_t)(uintptr_t)page, IDENTITY);
	paging_enable(&paging, CR0_WP);
	trap_set_handler(VECTOR, on_vector);
	trap_set_dpl(VECTOR, 3);
	for (unsigned ring = 0; ring < 4; ring += 3)
		for (unsigned i = 0; i < 4; i++)
			check_at(ring, i, places[i]);
	test_end();
}
