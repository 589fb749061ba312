#include "guest/library/start.h"

#include "guest/library/console.h"
#include "guest/library/segments.h"
#include "guest/library/stop.h"
#include "guest/library/traps.h"

static struct boot_info boot;

void start_enter(uint32_t magic, uint32_t information)
{
	console_init();
	segments_init();
	traps_init();
	boot_parse(&boot, magic, information);
	guest_main(&boot);
	stop_power_off();
}
