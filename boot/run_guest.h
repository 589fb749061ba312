/* mode=run: the first boot module is a guest kernel; the others are its modules. */
#ifndef BOOT_RUN_GUEST_H
#define BOOT_RUN_GUEST_H

_Noreturn void run_guest(void);

#endif
