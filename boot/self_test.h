/* mode=self-test: tries out the host kernel on the machine it stands on.
 *
 * One line a test, "ok NAME" or "FAIL NAME: why"; the end status is 0 or 1. What pure code does
 * is tested on the build machine; here is what only a machine can tell. */
#ifndef BOOT_SELF_TEST_H
#define BOOT_SELF_TEST_H

_Noreturn void self_test_run(void);

#endif
