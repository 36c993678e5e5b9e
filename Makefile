# make            build/swd and build/swctl, the manual pages, the completion
# make check      installs what the tests need, runs every test
# make demo       two virtual machines talking, in two minutes
# make asan tsan fuzz tidy bench install
# make soak       two hours of load and of hostile peers (SOAK=7200)
#
# Everything is found by wildcard: a new file needs no line here.

BUILD	?= build
PREFIX	?= /usr/local
CC	?= gcc
OPT	?= -O2 -g
SANITIZE ?=

WARN	:= -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	   -Wpointer-arith -Wvla -Wconversion -Wno-sign-conversion
ifdef CI
WARN	+= -Werror
endif
override CPPFLAGS += -I. -I$(BUILD) -D_GNU_SOURCE -MMD -MP
override CFLAGS	+= -std=gnu11 $(OPT) $(WARN) $(SANITIZE)
override LDFLAGS += $(SANITIZE)
LDLIBS	:= -ljson-c -lsystemd -lurcu-qsbr -lnuma -lbpf -lmnl -lseccomp -lcap \
	   -lpthread

src	 = $(filter-out $(MAINS) %.bpf.c,$(wildcard $(1)))
obj	 = $(patsubst %.c,$(BUILD)/%.o,$(1))
MAINS	:= switch/swd.c cli/swctl.c cli/docgen.c
LIB	:= $(call obj,$(call src,switch/base/*.c learning/*.c ports/*.c \
	   ports/*/*.c switch/*.c switch/control/*.c))
CLI	:= $(call obj,$(call src,cli/*.c))
GUEST	:= $(call obj,$(filter-out tests/guest/test_%,$(wildcard tests/guest/*.c)))
UNIT	:= $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c))
SYSTEM	:= $(patsubst %.c,$(BUILD)/%,$(wildcard tests/guest/test_*.c))
FUZZ	:= $(patsubst %.c,$(BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))
NET	:= $(patsubst %.c,$(BUILD)/%,$(call src,tests/net/*.c))
PARTS	:= $(call obj,$(wildcard bench/parts/*.c))
BENCH	:= $(patsubst %.c,$(BUILD)/%,$(filter-out %.bpf.c,$(wildcard bench/*.c)))
MAN	:= $(addprefix $(BUILD)/,swctl.8 swd.8 swd.conf.5 swd-api.7)
CLIENT	:= ports/pipe/client
SWPIPE	:= $(call obj,$(wildcard $(CLIENT)/swpipe*.c))
PIPES	:= $(addprefix $(BUILD)/,swpipe-gen swpipe-dump)
SWPIPE_SO := $(BUILD)/libswpipe.so.1

all: $(BUILD)/swd $(BUILD)/swctl docs $(SWPIPE_SO) $(PIPES)

$(BUILD)/swd: $(BUILD)/switch/swd.o $(BUILD)/libswd.a
$(BUILD)/swctl: $(BUILD)/cli/swctl.o $(BUILD)/libswd.a
$(BUILD)/docgen: $(BUILD)/cli/docgen.o $(BUILD)/libswd.a
$(UNIT) $(SYSTEM): LDLIBS += -lcriterion
$(UNIT): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libswd.a
$(NET): $(BUILD)/%: $(BUILD)/%.o
$(BENCH): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libbench.a
$(SYSTEM) $(BENCH): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libguest.a \
	$(BUILD)/libswd.a
$(BUILD)/swd $(BUILD)/swctl $(BUILD)/docgen $(UNIT) $(SYSTEM) $(NET) $(BENCH):
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Built with clang and -fsanitize=fuzzer-no-link among what sanitizes, which
# other programs can be linked with as well: see tests/run.
$(FUZZ): $(BUILD)/%: $(BUILD)/%.o $(BUILD)/libswd.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

# Tests and benchmarks of what applications link.
$(filter %/test_swpipe %/test_swpipe_open,$(UNIT)) $(BUILD)/bench/pipe \
	$(BUILD)/bench/idle $(BUILD)/tests/fuzz/fuzz_swpipe: \
	$(BUILD)/libswpipe.a
$(filter %/test_swpipe_gen,$(UNIT)): $(call obj,$(CLIENT)/gen_stream.c)

$(BUILD)/libswd.a: $(LIB) $(CLI)
$(BUILD)/libguest.a: $(GUEST)
$(BUILD)/libbench.a: $(PARTS)
$(BUILD)/libswpipe.a: $(SWPIPE)
$(BUILD)/libswd.a $(BUILD)/libguest.a $(BUILD)/libbench.a \
$(BUILD)/libswpipe.a:
	@rm -f $@
	$(AR) qcs $@ $^

# What applications link stands alone: nothing of the switch is in it.
$(SWPIPE): override CFLAGS += -fPIC
$(SWPIPE_SO): $(CLIENT)/swpipe.map $(SWPIPE)
	$(CC) $(LDFLAGS) -shared -Wl,-soname,$(@F) \
		-Wl,--version-script=$< -o $@ $(SWPIPE) -lpthread
$(BUILD)/swpipe-gen: $(call obj,$(wildcard $(CLIENT)/gen*.c))
$(BUILD)/swpipe-dump: $(call obj,$(CLIENT)/dump.c $(CLIENT)/pcapng.c)
$(PIPES): $(BUILD)/libswpipe.a
	$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $< -lpthread

docs: $(MAN) $(BUILD)/completion.bash
$(MAN) $(BUILD)/completion.bash: $(BUILD)/docgen
	$< $(@F) >$@.new && mv $@.new $@

# What runs in the kernel is carried in the binary, as a header.
BPFTOOL	?= $(shell PATH="$$PATH:/usr/sbin" command -v bpftool)
$(BUILD)/%.bpf.o: %.bpf.c
	@mkdir -p $(@D)
	clang -target bpf -O2 -g -Wall -Werror -MMD -MP \
		-I/usr/include/$(shell uname -m)-linux-gnu -c -o $@ $<
$(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf >$@.new && \
		mv $@.new $@
$(BUILD)/ports/xdp/program.o: $(BUILD)/ports/xdp/program.skel.h
$(BUILD)/bench/wire.o: $(BUILD)/bench/wire.skel.h

# These play the peer, whose memory is their own: see switch/base/shared.h.
$(BUILD)/tests/%.o $(BUILD)/bench/%.o: override CPPFLAGS += -DPEER_IS_US

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

-include $(patsubst %.o,%.d,$(LIB) $(CLI) $(GUEST) $(PARTS) \
	$(call obj,$(MAINS)))
-include $(patsubst %.c,$(BUILD)/%.d,$(wildcard $(CLIENT)/*.c))
-include $(addsuffix .d,$(UNIT) $(SYSTEM) $(FUZZ) $(NET) $(BENCH))

.PHONY: all unit system lab fuzzers benches check demo asan tsan fuzz tidy \
	soak bench docs install clean
.SECONDARY:

unit: $(UNIT)
system: all $(SYSTEM)
lab: all $(NET)
fuzzers: $(FUZZ)
benches: $(BENCH)

check:
	tests/run check
asan tsan fuzz tidy:
	tests/run $@
SOAK ?= 7200
soak:
	tests/run soak $(SOAK)
demo:
	tests/net/demo.sh
# Such as: make bench BENCH_PAIRS=5 BENCH_RUNS="guests light"
BENCH_PAIRS ?= 3
bench: all benches
	bench/all -n $(BENCH_PAIRS) $(BENCH_RUNS)

# A configuration that is there is left as it is.
D	= $(DESTDIR)$(PREFIX)
VERSION	= $(shell sed -n 's/.*VERSION "\(.*\)"/\1/p' switch/version.h)
install: all $(BUILD)/libswpipe.a
	install -d $(D)/bin $(addprefix $(D)/share/man/man,1 3 5 7 8) \
		$(D)/include $(D)/lib/pkgconfig \
		$(D)/share/bash-completion/completions \
		$(addprefix $(D)/lib/,systemd/system sysusers.d tmpfiles.d) \
		$(DESTDIR)/etc/swd
	install $(BUILD)/swd $(BUILD)/swctl $(D)/bin
	for page in $(MAN); do \
		install -m 644 $$page $(D)/share/man/man$${page##*.} || exit; \
	done
	install -m 644 $(BUILD)/completion.bash \
		$(D)/share/bash-completion/completions/swctl
	sed 's:@bindir@:$(PREFIX)/bin:' switch/package/swd.service.in \
		>$(D)/lib/systemd/system/swd.service
	install -m 644 switch/package/swd.sysusers $(D)/lib/sysusers.d/swd.conf
	install -m 644 switch/package/swd.tmpfiles $(D)/lib/tmpfiles.d/swd.conf
	[ -e $(DESTDIR)/etc/swd/swd.conf ] || \
		install -m 644 switch/package/swd.conf $(DESTDIR)/etc/swd
	install $(PIPES) $(D)/bin
	install -m 644 $(SWPIPE_SO) $(BUILD)/libswpipe.a $(D)/lib
	ln -sf libswpipe.so.1 $(D)/lib/libswpipe.so
	install -m 644 $(CLIENT)/swpipe.h $(D)/include
	install -m 644 $(CLIENT)/swpipe-gen.1 $(CLIENT)/swpipe-dump.1 \
		$(D)/share/man/man1
	install -m 644 $(CLIENT)/swpipe.3 $(D)/share/man/man3
	sed 's:@prefix@:$(PREFIX):; s:@version@:$(VERSION):' \
		$(CLIENT)/swpipe.pc.in >$(D)/lib/pkgconfig/swpipe.pc

clean:
	rm -rf $(BUILD)
