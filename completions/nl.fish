# SPDX-License-Identifier: Apache-2.0
# fish: completes the options of the nl tools from "TOOL --complete", names of policies
# from nl-ctl, then whatever is wrapped.

function __nl_complete
    set -l words (commandline -opc)
    set -l cur (commandline -ct)
    set -l tool $words[1]
    set -l operands 0
    string match -qr 'nl-(timeout|breaker|bulkhead|run|sink)$' -- $tool; and set operands 1
    set -l options 1
    set -l table ($tool --complete 2>/dev/null)
    set -l wants # the option that waits for its argument
    while set -e words[1]; and set -q words[1]
        set -l word $words[1]
        if set -q wants[1]
            set -e wants[1]
        else if test $word = --
            set options 0
        else if test $options = 1; and string match -q -- '-*' $word
            string match -q -- '--*' $word; or set word -(string sub -s -1 -- $word)
            string match -qr -- "^$word=?\t[^\t]" $table; and set wants $word
        else if test $operands -gt 0
            set operands 0
            set options 0
        else
            # A branch of a race or fallback, or a stage, begins behind [ ::: or '|'.
            while set -l at (contains -i -- '[' $words; or contains -i -- ':::' $words; or contains -i -- '|' $words)
                set -e words[1..$at[1]]
            end
            complete -C (string join ' ' -- (string escape -- $words) $cur | string collect)
            return
        end
    end
    set -l prefix ''
    if not set -q wants[1]; and test $options = 1; and string match -qr -- '^--[^=]+=' $cur
        set prefix (string match -r -- '^--[^=]+=' $cur)
        set wants (string trim -rc = -- $prefix)
    end
    if set -q wants[1]
        set -l arg (string match -rg -- "^$wants=?\t([^\t]*)\t" $table)
        switch "$arg"
            case 'KIND*'
                printf '%s\n' $prefix{constant,linear,exponential,fibonacci}:
            case 'SIG*'
                printf '%s\n' $prefix(kill -l | string split ' ')
            case JITTER
                printf '%s\n' $prefix{none,full,equal,decorrelated,finagle,polly}
            case SET
                printf '%s\n' $prefix{any,signal,timeout,rejected}
            case '*|*'
                printf '%s\n' $prefix(string split '|' -- $arg | string match -rv '[A-Z]')
            case DIR
                __fish_complete_directories (string replace -- "$prefix" '' $cur)
            case FILE SPEC
                __fish_complete_path (string replace -- "$prefix" '' $cur)
            case CMD COMMAND
                complete -C (string replace -- "$prefix" '' $cur)
        end
    else if test $options = 1; and string match -q -- '-*' $cur
        string replace -r -- '^(\S+?)=?\t[^\t]*\t' '$1\t' $table
    else if test $operands = 0
        complete -C "$cur"
    else if string match -qr 'nl-sink$' -- $tool
        string match -v -- '-*' $table | string replace -r -- '^(\S+)\t[^\t]*\t' '$1\t'
        __fish_complete_path (string replace -r -- '^(fifo|unix|stream|log):' '' $cur)
    else if string match -qr 'nl-run$' -- $tool
        $tool --list 2>/dev/null | string replace -r '\t.*' ''
        string match -v -- '-*' $table
    else if string match -qr 'nl-b[a-z]+$' -- $tool
        nl-ctl list --names (string replace -r '.*nl-' '' -- $tool) 2>/dev/null
    end
end
# nl-ctl: a command, then policies, kinds or keys of policies.
function __nl_ctl
    set -l words (commandline -opc)
    set -l tool $words[1]
    set -l command
    set -l wants
    for word in $words[2..]
        if set -q wants[1]
            set -e wants[1]
        else if contains -- $word --state --events --if-gen
            set wants $word
        else if not string match -q -- '-*' $word; and not set -q command[1]
            set command $word
        end
    end
    if set -q wants[1]
        test $wants = --state; and __fish_complete_directories (commandline -ct)
        return
    end
    if string match -q -- '-*' (commandline -ct)
        $tool --complete | string match -r -- '^-.*' | string replace -r -- '^(\S+?)=?\t[^\t]*\t' '$1\t'
        return
    end
    switch "$command"
        case ''
            $tool --complete | string match -rv -- '^-' | string replace -r -- '^(\S+)\t[^\t]*\t' '$1\t'
        case check
            __fish_complete_path (commandline -ct)
        case list
            printf '%s\n' breaker bulkhead budget race retry timeout
        case show reset history watch
            $tool list --names
        case open close disable enable
            $tool list --names breaker | string replace -r '^' breaker/
        case get set unset
            set -l end ''
            test $command = set; and set end =
            for policy in ($tool list --names)
                set -l kind (string split -m1 / -- $policy)[1]
                test $kind = timeout; and echo $policy.limit$end
                test $kind = budget; and printf '%s\n' $policy.{max,cost,timeout-cost,throttle-cost,deposit,ttl,min}$end
                nl-$kind --complete | string match -rv -- '^--(seed|exit-code)=' |
                    string match -rg -- '^--([a-z-]*)=\t(?:N|X|PERCENT|DURATION|DURATION\|pNN|JITTER|KIND[^\t]*)\t' |
                    string replace -r -- '(.*)' "$policy.\$1$end"
            end
    end 2>/dev/null
end
# nl-observe: a query or a source, then sources.
function __nl_observe
    set -l words (commandline -opc)
    set -l cur (commandline -ct)
    set -l table ($words[1] --complete)
    set -l wants
    set -l first 1
    for word in $words[2..]
        if set -q wants[1]
            set -e wants[1]
        else if string match -q -- '-*' $word
            string match -qr -- "^$word=\t" $table; and set wants $word
        else
            set first 0
        end
    end
    set -l prefix ''
    if not set -q wants[1]; and string match -qr -- '^--[^=]+=' $cur
        set prefix (string match -r -- '^--[^=]+=' $cur)
        set wants (string trim -rc = -- $prefix)
    end
    if set -q wants[1]
        set -l arg (string match -rg -- "^$wants=\t([^\t]*)\t" $table)
        switch "$arg"
            case '*|*'
                printf '%s\n' $prefix(string split '|' -- $arg)
            case FILE
                __fish_complete_path (string replace -- "$prefix" '' $cur)
        end
    else if string match -q -- '-*' $cur
        string match -r -- '^-.*' $table | string replace -r -- '^(\S+?)=?\t[^\t]*\t' '$1\t'
    else
        test $first = 1; and string match -rv -- '^-' $table | string replace -r -- '^(\S+)\t[^\t]*\t' '$1\t'
        __fish_complete_path $cur
    end
end
complete -c nl-observe -f -a '(__nl_observe)'
complete -c nl-ctl -f -a '(__nl_ctl)'
complete -c nl-retry -c nl-timeout -c nl-breaker -c nl-bulkhead -c nl-race -c nl-fallback -c nl-pipe -c nl-run -c nl-sink -f -a '(__nl_complete)'
