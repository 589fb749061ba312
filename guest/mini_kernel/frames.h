/*
 * Physical memory, frame by frame. A frame may have several owners (copy-on-write);
 * it is free again when the last one drops it. Knows nothing of who maps it where.
 */
#pragma once

#include <stdint.h>

#include "guest/library/boot.h"

/* Maps physical memory at KERNEL_BASE and gathers what the loader left free. */
void frames_init(const struct boot_info *boot);

/* The physical address of a frame with one owner, or 0 when memory is used up. */
uint32_t frame_take(void);
uint32_t frame_take_zeroed(void);

void frame_share(uint32_t frame);
void frame_drop(uint32_t frame);
unsigned frame_owners(uint32_t frame);

uint32_t frames_free(void);
uint32_t frames_total(void);
