/* The debug-exit port: the status that a guest asks for, and only the first one. */
#include "monitor/devices/debug_exit.h"
#include "tests/unit.h"

TEST(debug_exit_gives_the_status_that_qemu_gives)
{
	struct debug_exit exit;

	debug_exit_reset(&exit);
	CHECK(!exit.requested);
	debug_exit_write(&exit, 0, DEBUG_EXIT_PORT, 1, 0x10);
	CHECK(exit.requested);
	CHECK_EQ(exit.status, 0x21);
}

TEST(debug_exit_takes_a_wide_value_whole)
{
	struct debug_exit exit;

	debug_exit_reset(&exit);
	debug_exit_write(&exit, 0, DEBUG_EXIT_PORT, 4, 0xC0000001);
	CHECK_EQ(exit.status, 0x80000003);
}

TEST(debug_exit_the_first_status_stays)
{
	struct debug_exit exit;

	debug_exit_reset(&exit);
	debug_exit_write(&exit, 0, DEBUG_EXIT_PORT, 1, 0);
	debug_exit_write(&exit, 0, DEBUG_EXIT_PORT, 1, 7);
	CHECK_EQ(exit.status, 1);
	CHECK_EQ(debug_exit_read(&exit, 0, DEBUG_EXIT_PORT, 1), 0);
	debug_exit_reset(&exit);
	CHECK(!exit.requested);
}

UNIT_MAIN
