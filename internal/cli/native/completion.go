package native

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/mdkit/mdkit/internal/cli/ui"
)

// The program itself knows what can follow; the scripts only ask it. If it has no
// answer, the shell offers file names.
const (
	bashCompletion = `_mdkit() {
	local cur=${COMP_WORDS[COMP_CWORD]}
	local words=("${COMP_WORDS[@]:0:COMP_CWORD}")
	[[ $cur == -* ]] && words+=("$cur")
	COMPREPLY=($(compgen -W "$("${words[@]}" --generate-bash-completion 2>/dev/null)" -- "$cur"))
}
complete -o default -F _mdkit %s
`
	zshCompletion = `#compdef %[1]s
_mdkit() {
	local -a given options
	given=("${(@)words[1,CURRENT-1]}")
	[[ ${words[CURRENT]} == -* ]] && given+=("${words[CURRENT]}")
	options=("${(@f)$("${given[@]}" --generate-bash-completion 2>/dev/null)}")
	if [[ -n ${options[1]} ]]; then
		compadd -a options
	else
		_files
	fi
}
compdef _mdkit %[1]s
`
)

// completed lists the commands whose command lines can be completed.
func completed(faces []ui.Face) string {
	names := "mdkit"
	for _, f := range faces {
		if f.Complete != nil {
			names += " " + f.Name
		}
	}
	return names
}

func completionCommand(std ui.IO, faces []ui.Face) *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print the script that teaches a shell to complete mdkit's command lines",
		ArgsUsage: "bash|zsh|fish",
		Category:  categoryShell,
		Description: "For example, in ~/.bashrc:\n\n" +
			"   eval \"$(mdkit completion bash)\"\n\n" +
			"Exit code: 0 done; 16 wrong usage.",
		Action: func(c *cli.Context) error {
			shells := map[string]func() (string, error){
				"bash": func() (string, error) { return fmt.Sprintf(bashCompletion, completed(faces)), nil },
				"zsh":  func() (string, error) { return fmt.Sprintf(zshCompletion, completed(faces)), nil },
				"fish": c.App.ToFishCompletion,
			}
			script, ok := shells[c.Args().First()]
			if !ok || c.NArg() != 1 {
				return usage("completion: name one shell: bash, fish or zsh")
			}
			text, err := script()
			if err != nil {
				return err
			}
			_, err = io.WriteString(std.Out, text)
			return err
		},
		BashComplete: func(c *cli.Context) {
			fmt.Fprintln(c.App.Writer, "bash\nfish\nzsh")
		},
	}
}
