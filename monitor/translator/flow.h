/* Control flow, emitted: jumps, calls, returns, and what predicts where they go.
 *
 * No flag is touched, and what is pushed is the guest's own address. docs/translation.md shows each
 * sequence. */
#ifndef MONITOR_TRANSLATOR_FLOW_H
#define MONITOR_TRANSLATOR_FLOW_H

#include "monitor/translator/emit.h"

/* Each emits what `in` becomes; false when it has to be a callout after all. `bytes` are its own.
 */
bool flow_jmp(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool flow_jcc(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool flow_loop(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool flow_call(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool flow_ret(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool flow_far_call(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool flow_far_jmp(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool flow_far_ret(struct emit *emit, const struct instruction *in, const uint8_t *bytes);

/* The way on for a block that ends without a transfer. */
void flow_on(struct emit *emit);

/* Compares window.target with `target`; what is equal goes on behind, with ECX the guest's, the
 * rest goes to `otherwise`. */
void flow_land(struct emit *emit, uint32_t target, uint32_t otherwise);
/* The target of what flow_land has written there, and where the rest of it goes. */
uint32_t flow_landing_target(const struct translator *t, uint32_t landing);
uint32_t flow_landing_otherwise(const struct translator *t, uint32_t landing);
void flow_set_otherwise(struct translator *t, uint32_t landing, uint32_t otherwise);

/* From the first place of a prediction to the second, which has it with the other sign. */
#define FLOW_PREDICTION_AGAIN 8

#endif
