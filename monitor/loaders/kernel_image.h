/* Loads a kernel of whatever kind: recognised by its content, Multiboot 1 before Multiboot 2
 * before Linux.
 *
 * On success the guest's memory is ready and `entry` says how to start it; otherwise `fault` says
 * what is wrong with the files, and guest memory is untouched. A kernel with both headers is
 * started by the older protocol, because that is how the machine's own loader starts it for
 * comparison. */
#ifndef MONITOR_LOADERS_KERNEL_IMAGE_H
#define MONITOR_LOADERS_KERNEL_IMAGE_H

#include <stdbool.h>

#include "monitor/loaders/load.h"

bool kernel_image_load(struct load *load, const struct load_request *request);

#endif
