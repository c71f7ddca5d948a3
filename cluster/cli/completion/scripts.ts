/** Shells that there is a script for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof SHELLS)[number];

/** The first argument with which the scripts call `millrace`; the words up to the cursor follow, the last of them may be empty. */
export const COMPLETE = '__complete';

/** What a shell reads to complete command lines of `millrace`. Where nothing is offered it completes names of files. */
export function completionScript(shell: Shell): string {
  return SCRIPTS[shell];
}

const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: `# millrace completion for bash: source <(millrace completion bash)
_millrace() {
  local IFS=$'\\n'
  COMPREPLY=($("$1" ${COMPLETE} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _millrace millrace
`,
  zsh: `#compdef millrace
# millrace completion for zsh, after compinit: source <(millrace completion zsh)
_millrace() {
  local -a found
  found=("\${(@f)$(millrace ${COMPLETE} "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then compadd -- "\${found[@]}"; else _files; fi
}
if [[ "\${funcstack[1]}" == _millrace ]]; then _millrace "$@"; else compdef _millrace millrace; fi
`,
  fish: `# millrace completion for fish: millrace completion fish | source
function __millrace_complete
  set -l before (commandline -opc)
  set -l current (commandline -ct)
  set -l found (millrace ${COMPLETE} $before[2..-1] "$current" 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\\n' $found
  else
    __fish_complete_path "$current"
  end
end
complete -c millrace -f -a '(__millrace_complete)'
`,
};
