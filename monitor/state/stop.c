#include "monitor/state/stop.h"

#define STATUS_STOPPED 70

void vm_end(struct vm *vm, enum exit_reason exit, uint32_t status)
{
	if (vm->ended)
		return;
	vm->ended = true;
	vm->exit = exit;
	vm->exit_status = status;
}

void vm_stop(struct vcpu *vcpu, const char *format, ...)
{
	struct vm *vm = vcpu->vm;
	va_list arguments;

	if (vm->ended)
		return;
	va_start(arguments, format);
	print_list_to_buffer(vm->exit_text, sizeof(vm->exit_text), format, arguments);
	va_end(arguments);
	vm_end(vm, EXIT_stopped, STATUS_STOPPED);
}
