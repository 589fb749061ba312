/* ACPI's timer and events. */
#include "monitor/devices/acpi_pm.h"
#include "monitor/devices/virtual_time.h"
#include "tests/unit.h"

/* 2^23 ticks of 17600/63 ns, rounded up. */
#define HALF 2343484140ull

static struct acpi_pm pm;
static bool line;

static void see(void *owner, unsigned input, bool level)
{
	(void)owner;
	(void)input;
	line = level;
}

static void set_up(void)
{
	pm.line = (struct line){see, NULL, 0};
	acpi_pm_reset(&pm, 0);
}

TEST(the_timer_has_24_bits_at_three_times_the_8254)
{
	set_up();
	CHECK_EQ(acpi_pm_read(&pm, 0, 0x608, 4), 0);
	CHECK_EQ(acpi_pm_read(&pm, 279, 0x608, 4), 0);
	CHECK_EQ(acpi_pm_read(&pm, 280, 0x608, 4), 1);
	CHECK_EQ(acpi_pm_read(&pm, 1000000000, 0x608, 4), 3579545);
	CHECK_EQ(acpi_pm_read(&pm, 1000000000, 0x60A, 2), 3579545 >> 16);
	CHECK_EQ(acpi_pm_read(&pm, 2 * HALF - 1000, 0x608, 4), 0xFFFFFC);
	CHECK_EQ(acpi_pm_read(&pm, 2 * HALF, 0x608, 4), 0);
	acpi_pm_write(&pm, 0, 0x608, 4, 0x1234);
	CHECK_EQ(acpi_pm_read(&pm, 280, 0x608, 4), 1);
}

TEST(a_change_of_its_highest_bit_interrupts_if_enabled)
{
	set_up();
	CHECK_EQ(acpi_pm_next_due(&pm), VIRTUAL_TIME_NEVER);
	acpi_pm_advance(&pm, HALF);
	CHECK(!line);
	CHECK_EQ(acpi_pm_read(&pm, HALF, 0x600, 2), 1);
	acpi_pm_write(&pm, HALF, 0x602, 2, 0xFFFF);
	CHECK(line);
	CHECK_EQ(acpi_pm_read(&pm, HALF, 0x602, 2), 0x0721);
	CHECK_EQ(acpi_pm_read(&pm, HALF, 0x600, 4), 0x07210001);
	acpi_pm_write(&pm, HALF, 0x600, 2, 0xFFFE);
	CHECK(line);
	acpi_pm_write(&pm, HALF, 0x600, 1, 1);
	CHECK(!line);
	CHECK_EQ(acpi_pm_read(&pm, HALF, 0x602, 2), 0x0721);
	CHECK_EQ(acpi_pm_next_due(&pm), 2 * HALF);
	acpi_pm_advance(&pm, 2 * HALF - 1);
	CHECK(!line);
	acpi_pm_advance(&pm, 2 * HALF);
	CHECK(line);
	CHECK_EQ(acpi_pm_next_due(&pm), VIRTUAL_TIME_NEVER);
	acpi_pm_write(&pm, 2 * HALF, 0x603, 1, 0);
	CHECK_EQ(acpi_pm_read(&pm, 2 * HALF, 0x602, 2), 0x0021);
	acpi_pm_write(&pm, 2 * HALF, 0x602, 2, 0);
	CHECK(!line);
}

UNIT_MAIN
