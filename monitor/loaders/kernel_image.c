#include "monitor/loaders/kernel_image.h"

#include "monitor/loaders/linux.h"
#include "monitor/loaders/multiboot1.h"
#include "monitor/loaders/multiboot2.h"

bool kernel_image_load(struct load *load, const struct load_request *request)
{
	uint32_t offset;

	if (!load_start(load, request))
		return false;
	if (multiboot1_find(request, &offset))
		return multiboot1_load(load, offset);
	if (multiboot2_find(request, &offset))
		return multiboot2_load(load, offset);
	if (linux_is_bzimage(request))
		return linux_load_bzimage(load);
	if (linux_is_vmlinux(request))
		return linux_load_vmlinux(load);
	return LOAD_FAIL(load, NOT_RECOGNISED, MULTIBOOT1_SEARCH, MULTIBOOT2_SEARCH);
}
