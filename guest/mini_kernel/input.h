/*
 * What is typed: the serial interrupt puts bytes into a ring, tasks take them out.
 */
#pragma once

#include <stdbool.h>

void input_init(void);
bool input_is_waiting(void);

/* The next byte; somebody must have seen that one is waiting. */
char input_take(void);
