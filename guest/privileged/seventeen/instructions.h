/*
 * The sensitive instructions that do not trap, each as a function that gives back what it shows.
 */
#pragma once

#include <stdint.h>

#include "guest/library/catch.h"

#define OPEN_VECTOR 0x90 /* `run_int` uses it; every ring may */

catch_function run_sgdt, run_sidt, run_sldt, run_str, run_smsw, run_pushf, run_push_cs, run_mov_cs,
        run_mov_ss;
/* ZF for the selector that is the argument. */
catch_function run_lar, run_lsl, run_verr, run_verw;
/* The flags afterwards; the selector that was loaded. */
catch_function run_popf_if, run_popf_iopl, run_mov_to_ds, run_pop_ss;
/* The code segment that they show. */
catch_function run_far_call, run_far_jump, run_far_return, run_iret, run_int;
