#include "guest/library/cpu.h"
#include "guest/library/memory.h"
#include "guest/library/print.h"
#include "guest/library/start.h"
#include "guest/library/test.h"

#define PORT  0x80 /* takes anything and does nothing */
#define PORTS 0x10000

SNIPPET_BEFORE(in8, "movl %ecx, %edx", "inb %dx, %al; xorl %eax, %eax");
SNIPPET_BEFORE(in16, "movl %ecx, %edx", "inw %dx, %ax; xorl %eax, %eax");
SNIPPET_BEFORE(in32, "movl %ecx, %edx", "inl %dx, %eax; xorl %eax, %eax");
SNIPPET_BEFORE(out8, "movl %ecx, %edx", "outb %al, %dx; xorl %eax, %eax");
SNIPPET(disable, "cli; pushfl; popl %eax; andl $0x200, %eax");
SNIPPET(enable, "sti; pushfl; popl %eax; andl $0x200, %eax");
SNIPPET(pop_flags, "pushl %ecx; popfl; pushfl; popl %eax; andl $0x3200, %eax");
SNIPPET(return_flags,
        "pushl %ecx; pushl %cs; pushl $1f; iret\n1: pushfl; popl %eax; andl $0x3200, %eax");

static void open_port(unsigned port, bool open)
{
	if (open)
		segment_task.io_bitmap[port / 8] &= (uint8_t) ~(1u << port % 8);
	else
		segment_task.io_bitmap[port / 8] |= (uint8_t)(1u << port % 8);
}

static uint32_t flags_of(unsigned iopl)
{
	return iopl << EFLAGS_IOPL_N;
}

/* A ring whose number is not above IOPL may use every port and the interrupt flag. */
static void check_iopl(unsigned ring)
{
	for (unsigned iopl = 0; iopl < 4; iopl++) {
		bool may = ring <= iopl;
		struct outcome in = call_in_ring_with_flags(ring, flags_of(iopl), in8, PORT);
		struct outcome cli = call_in_ring_with_flags(ring, flags_of(iopl), disable, 0);
		struct outcome sti = call_in_ring_with_flags(ring, flags_of(iopl), enable, 0);
		print("     IOPL %u\n", iopl);
		if (may) {
			test_value(in, 0, "in");
			test_value(cli, 0, "cli: IF");
			test_value(sti, EFLAGS_IF, "sti: IF");
		} else {
			test_traps(in, VECTOR_GP, 0, "in");
			test_traps(cli, VECTOR_GP, 0, "cli");
			test_traps(sti, VECTOR_GP, 0, "sti");
		}
		/* Neither popf nor iret traps; they leave what the ring may not change. */
		test_value(call_in_ring_with_flags(ring, flags_of(iopl), pop_flags,
		                                   EFLAGS_IF | EFLAGS_IOPL | EFLAGS_FIXED),
		           flags_of(iopl) | (may ? EFLAGS_IF : 0),
		           "popf: IOPL stays, IF if it may");
		test_value(call_in_ring_with_flags(ring, flags_of(iopl), return_flags,
		                                   EFLAGS_IF | EFLAGS_IOPL | EFLAGS_FIXED),
		           flags_of(iopl) | (may ? EFLAGS_IF : 0),
		           "iret: IOPL stays, IF if it may");
	}
}

/* Above IOPL the bitmap decides, for each byte that the access covers. */
static void check_bitmap(unsigned ring)
{
	test_traps(call_in_ring(ring, in8, PORT), VECTOR_GP, 0, "a closed port");
	open_port(PORT, true);
	test_returns(call_in_ring(ring, in8, PORT), "in from an open port");
	test_returns(call_in_ring(ring, out8, PORT), "out to an open port");
	test_traps(call_in_ring(ring, in8, PORT + 1), VECTOR_GP, 0, "its closed neighbour");
	test_traps(call_in_ring(ring, in16, PORT), VECTOR_GP, 0,
	           "a word of which one byte is closed");
	open_port(PORT + 1, true);
	test_returns(call_in_ring(ring, in16, PORT), "a word, both bytes open");
	test_traps(call_in_ring(ring, in32, PORT), VECTOR_GP, 0,
	           "a dword of which two bytes are closed");
	open_port(PORT + 2, true);
	open_port(PORT + 3, true);
	test_returns(call_in_ring(ring, in32, PORT), "a dword, all bytes open");
	open_port(PORT + 7, true);
	open_port(PORT + 8, true);
	test_returns(call_in_ring(ring, in16, PORT + 7), "a word across two bytes of the bitmap");
	for (unsigned i = 0; i < 9; i++)
		open_port(PORT + i, false);
}

/* The bitmap ends where the TSS ends; past it every port is closed. */
static void check_bitmap_limit(unsigned ring)
{
	uint16_t before = segment_task.tss.io_map;
	open_port(PORT, true);
	segment_task.tss.io_map = sizeof(segment_task);
	test_traps(call_in_ring(ring, in8, PORT), VECTOR_GP, 0,
	           "a bitmap past the limit of the TSS");
	segment_task.tss.io_map = (uint16_t)(sizeof(segment_task) - 1 - PORT / 8);
	test_traps(call_in_ring(ring, in8, PORT), VECTOR_GP, 0,
	           "a bitmap cut off just before the port's second byte");
	segment_task.tss.io_map = before;
	test_returns(call_in_ring(ring, in8, PORT), "the bitmap in its place again");
	open_port(PORT, false);
	open_port(PORTS - 1, true);
	test_returns(call_in_ring(ring, in8, PORTS - 1), "the last port, open");
	open_port(PORTS - 1, false);
}

void guest_main(const struct boot_info *boot)
{
	(void)boot;
	test_begin("io",
	           "IOPL opens all ports and the interrupt flag to a ring, and the I/O bitmap "
	           "opens single ports to the others");
	for (unsigned ring = 1; ring < 4; ring++) {
		print("     -- ring %u\n", ring);
		check_iopl(ring);
		check_bitmap(ring);
		check_bitmap_limit(ring);
	}
	test_end();
}
