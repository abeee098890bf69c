# SPDX-License-Identifier: Apache-2.0
# Nine Lives: GNU make, no configure, nothing generated, no network (musl-deps excepted).
#   make                         what ships: static musl where musl-gcc is, else gcc's release
#   make check [T=NAMES] [F=RE]  the tests; T: these files only, F: only tests with such names
#   make VARIANT=asan            debug asan cov release musl pic, each under build/VARIANT
#   make guest                   what goes into other processes: libninelives.a for glibc, the builtins of bash
#   make storm [KILLS=100000] [SEED=1]   SIGKILLs around nl-bulkhead and nl-breaker
#   make install DESTDIR=/tmp/x PREFIX=/usr
# V=1 shows the commands.  CC, MUSL_CC, CLANG, CPPFLAGS, CFLAGS, LDFLAGS, LDLIBS are yours.

PREFIX ?= /usr/local
VERSION := $(shell sed -n 's/.*NL_VERSION "\(.*\)"/\1/p' lib/nl.h)
MUSL_CC ?= musl-gcc
CLANG ?= clang
JSMN ?= /usr/include/jsmn.h
LDLIBS ?= -lm
FUZZ_TIME ?= 30
SHIP := $(if $(shell command -v $(MUSL_CC)),musl,release)
VARIANT ?= $(SHIP)
ifeq ($(filter debug asan cov release musl pic,$(VARIANT)),)
$(error VARIANT=$(VARIANT) is none of debug asan cov release musl pic)
endif
ifeq ($(origin CC),default)
CC := gcc
endif

# Never -static-pie: Debian's musl-gcc then links a dynamic program without a word.
opt_debug := -O0 -g3
opt_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
opt_cov := -O0 -g --coverage
opt_release := -O2 -g
opt_pic := -O2 -g -fPIC
opt_musl := -Os -static -fno-pie -no-pie -fno-asynchronous-unwind-tables
link_musl := -s -Wl,-z,noseparate-code -Wl,--build-id=none
# libpipeline is nl-pipe's and nl-observe's: of musl-deps, or Debian's, and then a musl build takes them from gcc's
# release.  Without it there is no nl-pipe, and nl-observe reads no compressed files.
dep := build/musl/dep
pipe_a := $(if $(filter musl,$(VARIANT)),$(wildcard $(dep)/libpipeline.a))
pipe_so := $(shell pkg-config --libs libpipeline 2>/dev/null)
pipe_h := $(firstword $(wildcard $(addsuffix /pipeline.h,$(shell pkg-config --variable=includedir libpipeline 2>/dev/null) $(dep))))
pipe_from := $(if $(filter musl,$(VARIANT)),$(if $(pipe_a),here,$(if $(pipe_so),release)),$(if $(pipe_so),here))
libs_nl-pipe := $(if $(pipe_a),$(pipe_a) $(dep)/libgnu.a,$(pipe_so))
libs_nl-observe := $(libs_nl-pipe)
piped = $(filter $O/bin/nl-pipe $O/bin/nl-observe,$(bins))

warn := -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wformat=2 -Wstrict-prototypes \
	-Wmissing-prototypes -Wwrite-strings -Wundef
std := -std=c17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DNL_INSIDE $(if $(filter here,$(pipe_from)),-DNL_LIBPIPELINE) -Ilib -Itests/unit -Itests/sim -isystem build/include
cc := $(if $(filter musl,$(VARIANT)),$(MUSL_CC),$(CC))
flags := $(std) $(warn) $(opt_$(VARIANT)) -ffile-prefix-map=$(CURDIR)=. $(CPPFLAGS) $(CFLAGS)

# bash's headers are Debian's bash-builtins; -isystem: warnings there are not ours to mend.
bash_h := $(wildcard $(shell pkg-config --variable=headersdir bash 2>/dev/null))
bash_flags := -DSHELL -DHAVE_CONFIG_H $(patsubst %,-isystem %,$(bash_h) $(bash_h)/builtins $(bash_h)/include \
	$(shell pkg-config --variable=loadablesdir bash 2>/dev/null))
guests := build/pic/libninelives.a $(if $(bash_h),build/pic/nl.so)

# Sources are what is there.  In unit and sim a *_test.c is a program, and the rest is linked to each of them.
O := build/$(VARIANT)
lib_c := $(wildcard lib/*.c lib/observe/*.c)
bin_c := $(filter-out $(if $(pipe_from),,bin/nl-pipe.c),$(wildcard bin/*.c))
aid_c := $(wildcard tests/aid/*.c)
sweep_c := $(wildcard tests/sweep/*.c)
storm_c := $(wildcard tests/storm/*.c)
lin_c := $(wildcard tests/lin/*.c)
eventgen_c := $(wildcard tests/eventgen/*.c)
bench_c := $(wildcard tests/bench/*.c)
fuzz_c := $(wildcard tests/fuzz/*.c)
unit_c := $(wildcard tests/unit/*_test.c tests/sim/*_test.c)
fake_c := $(filter-out $(unit_c),$(wildcard tests/unit/*.c tests/sim/*.c))
bins := $(bin_c:%.c=$O/%)
aids := $(aid_c:tests/%.c=$O/%) $(if $(sweep_c),$O/aid/sweep) $(if $(storm_c),$O/aid/storm) $(if $(lin_c),$O/aid/lin) $(if $(eventgen_c),$O/aid/eventgen)
benches := $(bench_c:tests/%.c=$O/%)
units := $(addprefix $O/unit/,$(basename $(notdir $(unit_c))))
libs := $O/libfake.a $O/libninelives.a
man := $(wildcard man/*.[1-8])

# $(call run,CC,file) says what a recipe line does instead of showing it.
run = $(if $V,,@$(if $(findstring s,$(firstword -$(MAKEFLAGS))),,printf '%-4s %s\n' $1 $2;))
Q := $(if $V,,@)
sub = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
env = NL_ROOT='$(CURDIR)' NL_BIN='$(CURDIR)/$O/bin' NL_AID='$(CURDIR)/$O/aid' NL_BENCH='$(CURDIR)/$O/bench' \
	PATH='$(CURDIR)/$O/bin:$(CURDIR)/$O/aid':"$$PATH"

.PHONY: all lib bin guest aid unit benches check check-all check-valgrind check-install coverage lint lint-files bench \
	bench-gate profile model sweep sim laws storm lin mutants fuzz json-diff coreutils-suite builtin-suite install uninstall dist clean musl-deps FORCE
.PRECIOUS: $O/obj/%.o
.DELETE_ON_ERROR:

all: lib bin
	@ln -sfn $(VARIANT)/bin build/bin; ln -sfn $(VARIANT)/aid build/aid
	@$(if $(findstring s,$(firstword -$(MAKEFLAGS))),,echo 'build/bin: $(notdir $(bins)) $(VERSION), $(VARIANT)')
	@$(if $(filter musl,$(SHIP)),,echo 'No $(MUSL_CC); for the small static build: apt-get install musl-tools; make')
	@$(if $(pipe_from),,echo 'No libpipeline, so no nl-pipe and no compressed files for nl-observe: apt-get install libpipeline-dev pkg-config; make')
lib: $O/libninelives.a
bin: $(bins)
aid: $(aids)
unit: $(units)
guest: FORCE
	+@$(sub) $(if $(findstring s,$(firstword -$(MAKEFLAGS))),-s) VARIANT=pic $(guests)
	@$(if $(bash_h),,echo 'No headers of bash, so no nl.so: apt-get install bash-builtins pkg-config; make guest')
benches: $(benches)

# All is rebuilt when a flag changes, and the libraries when the list of their files does.
record_flags := $(cc) $(flags) $(LDFLAGS) $(link_$(VARIANT)) $(LDLIBS) $(sweep_c) $(storm_c) $(lin_c) $(eventgen_c)
record_files := $(lib_c) $(fake_c)
$O/flags $O/files: FORCE
	@mkdir -p $O; echo '$(record_$(@F))' | cmp -s - $@ || echo '$(record_$(@F))' >$@

# musl-gcc does not look into /usr/include.  This is what we need of it, without glibc's headers.
build/include/jsmn.h:
	@test -e $(JSMN) || { echo '$(JSMN) is missing: apt-get install libjsmn-dev (or JSMN=FILE)' >&2; exit 1; }
	@u=/usr/include; a=$$u/$$($(CC) -print-multiarch)/asm; test -d $$a || a=$$u/asm; mkdir -p $(@D); \
	ln -sfn $$u/linux $$u/asm-generic $$a $(@D) && ln -sfn $(JSMN) $@

$O/obj/%.o: %.c $O/flags | build/include/jsmn.h
	$(call run,CC,$<) mkdir -p $(@D) && $(cc) $(flags) -MMD -MP -c -o $@ $<
# Where a million lines go through: not -Os.
ifeq ($(VARIANT),musl)
$(patsubst %,$O/obj/lib/observe/%.o,dense line runs runtable series shape sketch system): flags += -O2
endif
$O/libninelives.a: $(lib_c:%.c=$O/obj/%.o)
$O/libfake.a: $(fake_c:%.c=$O/obj/%.o)
# q, not r: two folders may have a file of one name.
$(libs): $O/flags $O/files
	$(call run,AR,$@) rm -f $@ && ar qcsD $@ $(filter %.o,$^)

build/include/pipeline.h: $(pipe_h) | build/include/jsmn.h
	@ln -sfn $(abspath $<) $@
$(piped): $(pipe_a)
$(if $(pipe_h),$(foreach p,nl-pipe nl-observe,$O/obj/bin/$p.o build/lint/bin/$p.c.ok): | build/include/pipeline.h)

# A library that one program alone needs: libs_nl-x := -lthis
define link
$(call run,LD,$@) mkdir -p $(@D) && $(cc) $(flags) $(LDFLAGS) $(link_$(VARIANT)) -o $@ $^ $(libs_$(@F)) $(LDLIBS)
$(if $(filter musl,$(VARIANT)),@! readelf -lW $@ | grep INTERP || { echo '$@ is not static' >&2; exit 1; })
endef
$O/bin/%: $O/obj/bin/%.o $O/libninelives.a
	$(link)
ifeq ($(pipe_from),release)
$(piped): $O/bin/%: build/release/bin/%
	@mkdir -p $(@D) && strip -o $@ $<
$(piped:$O/%=build/release/%) &: FORCE
	+@$(sub) $(if $(findstring s,$(firstword -$(MAKEFLAGS))),-s) VARIANT=release $(piped:$O/%=build/release/%)
endif
build/pic/obj/lib/bash/nl.o: flags += $(bash_flags)
build/pic/nl.so: build/pic/obj/lib/bash/nl.o build/pic/libninelives.a
	$(call run,LD,$@) $(cc) -shared -Wl,--exclude-libs,ALL -Wl,-Bsymbolic $(LDFLAGS) -o $@ $^ $(LDLIBS)
$O/aid/sweep: $(sweep_c:%.c=$O/obj/%.o) $(libs)
	$(link)
$O/aid/storm: $(storm_c:%.c=$O/obj/%.o)
	$(link)
$O/aid/lin: $(lin_c:%.c=$O/obj/%.o) $O/libninelives.a
	$(link)
$O/aid/eventgen: $(eventgen_c:%.c=$O/obj/%.o)
	$(link)
$O/%: $O/obj/tests/%.o $(libs)
	$(link)
$O/unit/%: $O/obj/tests/sim/%.o $(libs)
	$(link)
build/fuzz/%: tests/fuzz/%.c $(lib_c) $(wildcard lib/*.h lib/observe/*.h tests/unit/twin.[ch]) | build/include/jsmn.h
	$(call run,LD,$@) mkdir -p $@.corpus && $(CLANG) $(std) -g -O1 -fsanitize=fuzzer,address,undefined -o $@ $< $(lib_c)
-include $(patsubst %.c,$O/obj/%.d,$(lib_c) lib/bash/nl.c $(bin_c) $(aid_c) $(unit_c) $(fake_c) $(sweep_c) $(storm_c) $(lin_c) $(eventgen_c) $(bench_c))

# Unit tests run under the sanitizers, everything else on the build that ships.
check:
	+@$(sub) VARIANT=asan unit && $(sub) VARIANT=$(VARIANT) all aid $(if $T,$(if $(filter embed builtin %@builtin,$(basename $(notdir $T))),guest),guest)
	@tests/run-suite $(if $T$F,,-o) -b $(VARIANT) -u asan $(if $F,-f '$F') $T
builtin-suite: bin aid guest
	@tests/run-suite -b $(VARIANT) $(addsuffix @builtin,algebra breaker bulkhead fallback race retry timeout)
check-all: lint
	+@for v in $(patsubst release,,$(SHIP)) release debug asan; do $(sub) VARIANT=$$v bin aid unit && \
	tests/run-suite -b $$v -u $$v $T || exit; done; $(sub) VARIANT=debug check-valgrind && $(sub) VARIANT=$(SHIP) check-install
check-valgrind: unit
	@NL_WRAP='valgrind -q --error-exitcode=99 --leak-check=full' tests/run-suite -u $(VARIANT) $T
coverage:
	+@$(sub) VARIANT=cov bin aid unit && find build/cov -name '*.gcda' -delete && tests/run-suite -b cov -u cov $T
	@gcov -n build/cov/obj/lib/*.gcno 2>/dev/null | awk -F"['%:]" '/^File/ { f = $$2 } /^Lines/ && f ~ /^lib.*c$$/ { \
	split($$3, n, " "); sum += n[2]; hit += $$2 * n[2] / 100; print $$2 "%", f; f = "" } END { printf "%.1f%% lib\n", 100 * hit / sum }'

bench bench-gate: bin aid benches guest
	@for b in run state algebra observe; do $(env) sh tests/bench/$$b $(if $(filter %-gate,$@),--gate) || exit; echo; done
profile:
	+@$(sub) VARIANT=release bin aid benches && $(subst $O/,build/release/,$(env)) sh tests/bench/profile
model:
	@tests/model/run
sweep: bin aid
	@$(env) sweep
sim: unit
	SIM_STEPS=$(or $(STEPS),10000000) $O/unit/system_test
laws: unit bin aid
	SIM_CASES=$(or $(CASES),1000000) $O/unit/laws_test
	+@$(sub) VARIANT=asan build/asan/unit/laws_test
	@LAWS=$(or $(REAL),10000) tests/run-suite -b $(VARIANT) laws
storm: bin aid
	@$(env) nice storm -k $(or $(KILLS),100000) -s $(or $(SEED),1)
lin: aid
	@$(env) nice lin && $(env) nice lin -m -n 100000
mutants: bin aid unit
	@O='$O' CC='$(cc)' FLAGS='$(flags)' LINK='$(LDFLAGS) $(link_$(VARIANT)) $(LDLIBS)' \
	PIPE='$(if $(filter here,$(pipe_from)),$(libs_nl-pipe))' sh tests/mutants.sh
coreutils-suite: bin
	@$(env) sh tests/coreutils-suite.sh
json-diff: aid
	@node tests/fuzz/json_diff.js $O/aid/jsonck $(COUNT) $(SEED)
fuzz: $(fuzz_c:tests/%.c=build/%)
	@for f in $^; do $$f -max_total_time=$(FUZZ_TIME) -verbosity=0 -artifact_prefix=$$f- $$f.corpus $$(case $$f in *json*) echo tests/fuzz/json;; *expr*) echo tests/fuzz/expr;; *fact*) echo tests/fuzz/fact;; *snapshot*) echo tests/fuzz/snapshot;; *query*) echo tests/fuzz/query;; esac) || exit; done

# Lint: a stamp per file, so that only what changed is read again.  Silent when all is well.
lint_c := $(wildcard bin/*.c lib/*.c lib/observe/*.c tests/*/*.c examples/*.c) $(if $(bash_h),lib/bash/nl.c)
lint_sh := .ci/run tests/run-suite $(wildcard lib/*.sh examples/*.sh examples/*/*.sh tests/*.sh tests/*.bats tests/*.bash \
	completions/*.bash $(addprefix tests/bench/,run state algebra observe profile *.sh))
# gcc 12 finds uninitialized values where a struct is returned; clang's analyzer and valgrind look for real ones.
trust := -Wno-analyzer-use-of-uninitialized-value
# Clang's analyzer stops earlier in a function: a fifth of the time, the same findings here.
budget := -Xclang -analyzer-config -Xclang max-nodes=50000
lint:
	+@$(sub) -Otarget -k lint-files
	@$(if $(bash_h),,echo 'No headers of bash, so lib/bash/nl.c was not read: apt-get install bash-builtins pkg-config')
build/lint/lib/bash/nl.c.ok: std += $(bash_flags)
build/lint/lib/bash/nl.c.ok: SHIP :=
lint-files: $(patsubst %,build/lint/%.ok,$(lint_c) $(lint_sh) $(man) $(wildcard completions/_nl completions/nl.fish))
build/lint/%.c.ok: %.c .clang-tidy tests/.clang-tidy Makefile | build/include/jsmn.h
	$Q mkdir -p $(@D); $(CC) $(std) $(warn) -Werror -O2 -fanalyzer $(trust) -MMD -MP -MT $@ -MF $(@:ok=d) -c -o $(@:ok=o) $<
	$Q $(if $(filter musl,$(SHIP)),$(MUSL_CC) $(std) $(warn) -Werror -Os -c -o $(@:ok=o) $<)
	$Q clang-tidy --quiet $< -- $(std) $(warn) $(budget) 2>$(@:ok=log) || { grep -v generated $(@:ok=log); exit 1; }
	$Q cppcheck -q --error-exitcode=1 --inline-suppr --enable=warning,performance,portability --std=c11 -Ilib -Itests/unit \
		-Itests/sim --suppress=missingIncludeSystem --suppress=arrayIndexThenCheck $< && touch $@
build/lint/man/%.ok: lint = mandoc -Tlint -Wwarning
build/lint/completions/_nl.ok: lint = zsh -n
build/lint/completions/%.fish.ok: lint = fish -n
build/lint/%.bash.ok: lint = shellcheck -x -s bash
build/lint/%.ok: lint = shellcheck -x -P SCRIPTDIR
build/lint/%.ok: % Makefile
	$Q mkdir -p $(@D) && $(lint) $< && touch $@
-include $(lint_c:%=build/lint/%.d)

# FROM:TO:MODE, one list for install and uninstall.
tools := $(notdir $(bins))
put = $(foreach t,$(tools),$O/bin/$t:bin/$t:755 completions/nl.bash:share/bash-completion/completions/$t:644 \
	completions/nl.fish:share/fish/vendor_completions.d/$t.fish:644) completions/_nl:share/zsh/site-functions/_nl:644 \
	$(foreach m,$(notdir $(man)),man/$m:share/man/man$(patsubst .%,%,$(suffix $m))/$m:644) \
	$(foreach f,nl.sh policies ninelives.rules.yml $(notdir $(wildcard lib/*.schema.json)),lib/$f:share/ninelives/$f:644) \
	lib/tmpfiles.d/ninelives.conf:lib/tmpfiles.d/ninelives.conf:644 lib/nl.h:include/nl.h:644 \
	build/pic/libninelives.a:lib/libninelives.a:644 build/pic/ninelives.pc:lib/pkgconfig/ninelives.pc:644 \
	$(if $(bash_h),build/pic/nl.so:lib/bash/nl.so:755) \
	$(foreach f,$(wildcard LICENSE README.md CHANGELOG.md),$f:share/doc/ninelives/$f:644)
each = d='$(DESTDIR)$(PREFIX)'; IFS=:; for f in $(put); do set -- $$f; $1 || exit; done
build/pic/ninelives.pc: lib/ninelives.pc.in FORCE
	@mkdir -p $(@D); sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' $< >$@
install: bin guest build/pic/ninelives.pc
	@$(call each,install -D -m $$3 "$$1" "$$d/$$2")
uninstall:
	@$(call each,rm -f "$$d/$$2"); for f in ninelives doc/ninelives; do test ! -d "$$d/share/$$f" || rmdir "$$d/share/$$f"; done
check-install: bin
	@set -e; d=$$(mktemp -d); trap 'rm -rf "$$d"' EXIT; p=$$d/opt/x; m='$(MAKE) -s VARIANT=$(VARIANT) PREFIX=/opt/x'; \
	$$m install DESTDIR=$$d; for t in $(tools); do $$p/bin/$$t --version | grep -qF $(VERSION); done; \
	test "$$(NL_EVENTS=off $$p/bin/nl-retry -n1 $$p/bin/nl-timeout 5 echo runs)" = runs; test $$(find $$d -type f | wc -l) = $(words $(put)); \
	$$m uninstall DESTDIR=$$d; test -z "$$(find $$d ! -type d -o -name ninelives)"; echo 'install and uninstall: fine'

dist:
	@mkdir -p build; git archive --format=tar.gz --prefix=ninelives-$(VERSION)/ -o build/ninelives-$(VERSION).tar.gz HEAD
	@echo build/ninelives-$(VERSION).tar.gz
clean:
	rm -rf build

# libpipeline for static programs: Debian has no .a of it, so its source package is built, signature checked by apt.
musl-deps: $(dep)/libpipeline.a
$(dep)/libpipeline.a:
	@for c in $(MUSL_CC) apt-get dpkg-source; do command -v $$c >/dev/null || { echo "$$c is missing" >&2; exit 1; }; done
	@mkdir -p $(dep)/lists/partial $(dep)/cache/archives/partial; . /etc/os-release; echo 'deb-src' \
	'[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]' "$$(apt-get indextargets --format '$$(REPO_URI)' | head -n1)" \
	"$$VERSION_CODENAME main" >$(dep)/sources.list
	$(call run,GET,libpipeline) cd $(dep) && o="-qq -o Dir::Etc::sourcelist=$$PWD/sources.list -o Dir::Etc::sourceparts=/dev/null \
	-o Dir::State::lists=$$PWD/lists -o Dir::Cache=$$PWD/cache -o APT::Sandbox::User= -o Debug::NoLocking=1" && \
	apt-get $$o update && rm -rf libpipeline-*/ && apt-get $$o source libpipeline >get.log
	$(call run,CC,libpipeline) cd $(dep)/libpipeline-*/ && ./configure -q CC=$(MUSL_CC) --host=$$(uname -m)-linux-musl --disable-shared \
	--enable-static >../build.log 2>&1 && $(sub) V=0 >>../build.log 2>&1 && cp lib/pipeline.h gl/lib/.libs/libgnu.a lib/.libs/libpipeline.a ..
