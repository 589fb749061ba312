#include "guest/library/cpu.h"
#include "guest/library/print.h"
#include "guest/library/start.h"

/* The smallest guest: a line that says where it finds itself, and the power switch. */
void guest_main(const struct boot_info *boot)
{
	print("hello from ring %u: started by %s, command line \"%s\"\n", cpu_ring(),
	      boot_protocol_name(boot->protocol), boot->command_line);
	print_log("hello on port 0xE9\n");
}
