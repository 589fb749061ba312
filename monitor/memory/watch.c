#include "monitor/memory/watch.h"

#include "monitor/memory/linear.h"
#include "monitor/memory/shadow_reverse.h"

static uint8_t *watchers_of(struct vm *vm, gpa_t at)
{
	return &vm->watchers[(size_t)(at.value / GUEST_PAGE_SIZE)];
}

void watch_register(struct vm *vm, enum watcher who, watch_written_t *written)
{
	vm->watch_written[__builtin_ctz(who)] = written;
}

void watch_start(struct vm *vm, gpa_t page, enum watcher who)
{
	uint8_t before = *watchers_of(vm, page);

	*watchers_of(vm, page) = (uint8_t)((before & ~WATCH_BUFFERED) | who);
	if (before & WATCH_BUFFERED)
		linear_forget_writes(&vm->vcpu, page);
	if (!(before & WATCH_ALL) && vm->shadow)
		shadow_reverse_protect(vm, page);
}

/* What was taken away comes back by itself, with the next write that is looked at. */
void watch_stop(struct vm *vm, gpa_t page, enum watcher who)
{
	uint8_t before = *watchers_of(vm, page);

	*watchers_of(vm, page) = (uint8_t)(before & ~who);
	if ((before & WATCH_ALL) == who && vm->shadow)
		shadow_reverse_release(vm, page);
}

void watch_pause(struct vm *vm, gpa_t page, enum watcher who)
{
	*watchers_of(vm, page) &= (uint8_t)~who;
}

void watch_resume(struct vm *vm, gpa_t page, enum watcher who)
{
	uint8_t before = *watchers_of(vm, page);

	*watchers_of(vm, page) = (uint8_t)((before & ~WATCH_BUFFERED) | who);
	if (before & WATCH_BUFFERED)
		linear_forget_writes(&vm->vcpu, page);
	if (!(before & WATCH_ALL))
		shadow_reverse_make_read_only(vm, page);
}

void watch_tell_page(struct vm *vm, gpa_t at, uint32_t size, unsigned int told)
{
	for (unsigned int who = *watchers_of(vm, at) & told; who; who &= who - 1)
		vm->watch_written[__builtin_ctz(who)](vm, at, size);
}

void watch_tell_pages(struct vm *vm, gpa_t at, size_t size, unsigned int told)
{
	while (size) {
		size_t part = GUEST_PAGE_SIZE - (size_t)at.value % GUEST_PAGE_SIZE;

		if (part > size)
			part = size;
		watch_tell_page(vm, at, (uint32_t)part, told);
		at = gpa(at.value + part);
		size -= part;
	}
}
