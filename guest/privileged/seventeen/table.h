/*
 * The same instructions as a table for tools/seventeen: one line for each instruction and ring,
 * "row | instruction | ring | what it gives", in words that do not depend on where things lie.
 */
#pragma once

void table_print(void);
