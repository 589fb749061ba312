/* panic-test=: breaks on purpose, so that the report can be seen and tested. */
#ifndef BOOT_PANIC_TEST_H
#define BOOT_PANIC_TEST_H

/* Returns when the boot option asks for nothing. */
void panic_test_run(void);

#endif
