/*
 * The small programs behind the shell's commands, each of which shows one thing of the kernel.
 */
#pragma once
