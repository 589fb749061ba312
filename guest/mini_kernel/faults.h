/*
 * Exceptions: page faults that are the memory's business are mended; any other
 * exception ends the task that caused it, with a report, and the kernel goes on.
 */
#pragma once

void faults_init(void);
