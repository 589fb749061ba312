#include "kernel/windows.h"

#include <stdbool.h>
#include <stddef.h>

#include "kernel/layout.h"
#include "kernel/page_tables.h"
#include "kernel/panic.h"
#include "kernel/statistics.h"

#define WINDOWS 16

static bool in_use[WINDOWS];

static uint32_t window_address(uint32_t index)
{
	return layout_address(layout_windows) + index * PAGE_SIZE;
}

void *windows_open(mpa_t at)
{
	uint32_t i = 0;

	while (i < WINDOWS && in_use[i])
		i++;
	panic_unless(i < WINDOWS);
	in_use[i] = true;
	statistics_count(windows_mapped);
	page_tables_map(window_address(i), mpa(page_round_down(at.value)), PTE_WRITABLE);
	return (void *)(window_address(i) + (uint32_t)(at.value % PAGE_SIZE));
}

void windows_close(const void *window)
{
	uint32_t i = ((uint32_t)window - window_address(0)) / PAGE_SIZE;

	panic_unless(i < WINDOWS && in_use[i]);
	in_use[i] = false;
	page_tables_unmap(window_address(i));
}

uint32_t windows_in_use(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < WINDOWS; i++)
		n += in_use[i];
	return n;
}
