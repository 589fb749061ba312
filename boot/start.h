/* The composition root: brings everything up in order, then does what the boot options say.
 *
 * The one place that sees all floors; it decides nothing that belongs on one of them. */
#ifndef BOOT_START_H
#define BOOT_START_H

#include <stdint.h>

/* Called by entry.asm with what the boot loader left in EAX and EBX. */
_Noreturn void start(uint32_t magic, uint32_t address);

#endif
