/*
 * What talks to the person at the console: the first task, the shell, and the demo that
 * shows the same without a person.
 */
#pragma once
