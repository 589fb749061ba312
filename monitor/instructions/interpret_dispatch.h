/* Which handler runs an instruction.
 *
 * opcodes.def is gone through once more; each row finds its handler by its mnemonic, or by the
 * feature that brought it. What the guest's processor has not got is #UD, as on silicon. */
#ifndef MONITOR_INSTRUCTIONS_INTERPRET_DISPATCH_H
#define MONITOR_INSTRUCTIONS_INTERPRET_DISPATCH_H

#include "monitor/instructions/interpret_operands.h"

/* Never NULL. */
interpret_handler *interpret_find_handler(const struct instruction *in);

#endif
