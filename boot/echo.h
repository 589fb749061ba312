/* mode=echo: gives back what is typed on the console, and says at the end what it has read.
 *
 * A way to try a serial line: Ctrl-D ends it, and the log has the number of bytes and their sum,
 * so a script sees whether one was lost. */
#ifndef BOOT_ECHO_H
#define BOOT_ECHO_H

_Noreturn void echo_run(void);

#endif
