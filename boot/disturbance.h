/* Disturbs the real machine on purpose while a guest runs (boot options storm=, nmis=,
 * clock-jumps=), so that tests see that the guest goes on. */
#ifndef BOOT_DISTURBANCE_H
#define BOOT_DISTURBANCE_H

/* Does nothing when no boot option asks for anything. */
void disturbance_start(void);
void disturbance_stop(void);

#endif
