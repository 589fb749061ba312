/* What each operation costs: instructions in ring 1 beyond those of the guest. */
#include "ring1.h"

#define ROUNDS 200
#define SLACK  60 /* until everything is chained */

/* A loop of ROUNDS; a function that it calls is one byte at the end, and EDI and 20000 point there.
 * At most `most` more than native each round, and not fewer than that, or the limit is too high. */
static void measure(const uint8_t *code, size_t size, uint32_t most)
{
	uint32_t function = RUN_CODE + (uint32_t)size - 1;
	uint64_t plain, extra;

	run_start();
	run_write_bytes(code, size);
	run_machine.vm.vcpu.registers[VCPU_EDI] = function;
	small_put32(&run_machine, RUN_DATA, function);
	ring1_start(NULL);
	ring1_run();
	plain = ring1_plain->instructions;
	extra = ring1.host > plain ? ring1.host - plain : 0;
	CHECK(extra <= ROUNDS * most + SLACK);
	CHECK(extra + SLACK >= ROUNDS * most);
}

TEST(straight_line_costs_nothing)
{
	const uint8_t code[] = {0xBE, 0xC8, 0x00, 0x00, 0x00, 0x40, 0xA3, 0x00, 0x00,
	                        0x02, 0x00, 0x50, 0x5B, 0x4E, 0x75, 0xF5, 0xF4};

	measure(code, sizeof(code), 0);
}

TEST(cli_and_sti_cost_nothing)
{
	const uint8_t code[] = {0xBE, 0xC8, 0x00, 0x00, 0x00, 0xFB,
	                        0x90, 0xFA, 0x4E, 0x75, 0xFA, 0xF4};

	measure(code, sizeof(code), 0);
}

TEST(pushf_and_popf)
{
	const uint8_t code[] = {0xBE, 0xC8, 0x00, 0x00, 0x00, 0x9C, 0x9D, 0x4E, 0x75, 0xFB, 0xF4};

	measure(code, sizeof(code), 17);
}

TEST(clts)
{
	const uint8_t code[] = {0xBE, 0xC8, 0x00, 0x00, 0x00, 0x0F, 0x06, 0x4E, 0x75, 0xFB, 0xF4};

	measure(code, sizeof(code), 3);
}

TEST(call_and_ret)
{
	const uint8_t code[] = {0xBE, 0xC8, 0x00, 0x00, 0x00, 0xE8, 0x04, 0x00,
	                        0x00, 0x00, 0x4E, 0x75, 0xF8, 0xF4, 0xC3};

	measure(code, sizeof(code), 8);
}

/* One more for lea. */
TEST(call_and_ret_with_parameters)
{
	const uint8_t code[] = {0xBE, 0xC8, 0x00, 0x00, 0x00, 0x50, 0xE8, 0x04, 0x00,
	                        0x00, 0x00, 0x4E, 0x75, 0xF7, 0xF4, 0xC2, 0x04, 0x00};

	measure(code, sizeof(code), 9);
}

/* Five for the call, seven for the return. */
TEST(indirect_call_and_ret)
{
	const uint8_t code[] = {0xBE, 0xC8, 0x00, 0x00, 0x00, 0xFF,
	                        0xD7, 0x4E, 0x75, 0xFB, 0xF4, 0xC3};

	measure(code, sizeof(code), 12);
}

/* And one to read it. */
TEST(indirect_call_through_memory)
{
	const uint8_t code[] = {0xBE, 0xC8, 0x00, 0x00, 0x00, 0xFF, 0x15, 0x00,
	                        0x00, 0x02, 0x00, 0x4E, 0x75, 0xF7, 0xF4, 0xC3};

	measure(code, sizeof(code), 13);
}

/* Six for the call, thirteen for the return. */
TEST(far_call_and_ret)
{
	const uint8_t code[] = {0xBE, 0xC8, 0x00, 0x00, 0x00, 0x9A, 0x10, 0x00, 0x01,
	                        0x00, 0x08, 0x00, 0x4E, 0x75, 0xF6, 0xF4, 0xCB};

	measure(code, sizeof(code), 19);
}

TEST(indirect_jump)
{
	const uint8_t code[] = {0xBE, 0xC8, 0x00, 0x00, 0x00, 0xBF, 0x0D, 0x00, 0x01,
	                        0x00, 0xFF, 0xE7, 0x90, 0x90, 0x4E, 0x75, 0xF4, 0xF4};

	measure(code, sizeof(code), 4);
}

TEST(selectors_and_control_registers_cost_nothing)
{
	const uint8_t code[] = {0xBE, 0xC8, 0x00, 0x00, 0x00, 0x8C, 0xD8, 0x06,
	                        0x58, 0x0F, 0x20, 0xC0, 0x4E, 0x75, 0xF6, 0xF4};

	measure(code, sizeof(code), 0);
}

UNIT_MAIN
