/* Everything but control flow, emitted: callouts, and what is done on the window.
 *
 * No flag is touched where the guest's instruction touches none. docs/translation.md shows each
 * sequence. */
#ifndef MONITOR_TRANSLATOR_INLINE_H
#define MONITOR_TRANSLATOR_INLINE_H

#include "monitor/translator/emit.h"

/* Each emits what `in` becomes; false when it has to be a callout after all. `bytes` are its own.
 */
bool inline_copy_bare(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool inline_copy_settled(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool inline_callout(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool inline_clts(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool inline_cli(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool inline_sti(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool inline_pushf(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool inline_popf(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool inline_in(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool inline_rdtsc(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool inline_push_segment(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool inline_mov_from_segment(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool inline_load_cr3(struct emit *emit, const struct instruction *in, const uint8_t *bytes);
bool inline_mov_from_control(struct emit *emit, const struct instruction *in, const uint8_t *bytes);

#endif
