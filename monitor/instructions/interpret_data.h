/* Moving data: registers, memory, the stack, and the flags by way of it. */
#ifndef MONITOR_INSTRUCTIONS_INTERPRET_DATA_H
#define MONITOR_INSTRUCTIONS_INTERPRET_DATA_H

#include "monitor/instructions/interpret_operands.h"

interpret_handler interpret_mov, interpret_mov_to_segment, interpret_mov_from_segment;
/* mov of 32 bits, by where it goes. */
interpret_handler interpret_load, interpret_store, interpret_copy, interpret_set_immediate;
interpret_handler interpret_push_register, interpret_pop_register;
interpret_handler interpret_movzx, interpret_movsx, interpret_cmov;
interpret_handler interpret_lea, interpret_xchg, interpret_xlat, interpret_bswap;
interpret_handler interpret_load_far_pointer;
interpret_handler interpret_push, interpret_push_segment, interpret_pop, interpret_pop_segment;
interpret_handler interpret_pusha, interpret_popa, interpret_enter, interpret_leave;
interpret_handler interpret_pushf, interpret_popf, interpret_lahf, interpret_sahf;
interpret_handler interpret_nop;

#endif
