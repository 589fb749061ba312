/*
 * The program that measures. Its workloads are named in bench.c; nothing here is for the others.
 */
#pragma once
