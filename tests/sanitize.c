/* SPDX-License-Identifier: MIT */
/*
 * Options of the sanitizers, linked into the asan variant: our children start
 * with an empty environment, so ASAN_OPTIONS cannot reach them. The exit code
 * is one that nothing else here uses.
 */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *
__asan_default_options(void)
{
	return "exitcode=99:detect_leaks=1:abort_on_error=0:"
	       "detect_stack_use_after_return=1";
}

const char *
__ubsan_default_options(void)
{
	return "exitcode=99:print_stacktrace=1:halt_on_error=1";
}
