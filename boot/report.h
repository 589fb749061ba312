/* What Ringfence says of the machine it runs on: the banner, and the report of mode=report. */
#ifndef BOOT_REPORT_H
#define BOOT_REPORT_H

void report_banner(void);
_Noreturn void report_run(void);

#endif
