/* Arithmetic and logic, decimal too: operands are fetched here, results and flags come from alu.c.
 */
#ifndef MONITOR_INSTRUCTIONS_INTERPRET_ARITHMETIC_H
#define MONITOR_INSTRUCTIONS_INTERPRET_ARITHMETIC_H

#include "monitor/instructions/interpret_operands.h"

interpret_handler interpret_add, interpret_adc, interpret_sub, interpret_sbb, interpret_cmp;
interpret_handler interpret_and, interpret_or, interpret_xor, interpret_test;
interpret_handler interpret_inc, interpret_dec, interpret_neg, interpret_not;
interpret_handler interpret_mul, interpret_imul, interpret_div, interpret_idiv;
interpret_handler interpret_cmpxchg, interpret_cmpxchg8b, interpret_xadd;
interpret_handler interpret_daa, interpret_das, interpret_aaa, interpret_aas;
interpret_handler interpret_aam, interpret_aad, interpret_salc;
interpret_handler interpret_cbw, interpret_cwd;

#endif
