// aws_profile.c: the files ~/.aws/credentials and ~/.aws/config: sections of lines "name = value".
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "transport/aws_client.h"

#define FILE_MAX (1 << 18)

static const char *const names[AWS_SETTINGS] = {[AWS_ACCESS_KEY] = "aws_access_key_id",
                                                [AWS_SECRET_KEY] = "aws_secret_access_key",
                                                [AWS_TOKEN] = "aws_session_token",
                                                [AWS_REGION] = "region",
                                                [AWS_ROLE] = "role_arn",
                                                [AWS_PROCESS] = "credential_process",
                                                [AWS_SSO_SESSION] = "sso_session",
                                                [AWS_SSO_URL] = "sso_start_url",
                                                [AWS_WEB_IDENTITY] = "web_identity_token_file"};

// The text of a file, which is the profile's. "" if there is none.
static int read_file(const char *path, char **text, struct neap__error *e) {
  FILE *file = fopen(path, "re");
  if (!file && (errno == ENOENT || errno == ENOTDIR)) return 0;
  if (!file) return neap__error_set(e, NEAP_USAGE, "%s cannot be read: %s", path, strerror(errno));
  *text = calloc(1, FILE_MAX + 1);
  size_t n = *text ? fread(*text, 1, FILE_MAX + 1, file) : 0;
  bool bad = ferror(file);
  fclose(file);
  if (!*text) return neap__error_set(e, NEAP_LIMIT, "memory is short");
  if (bad) return neap__error_set(e, NEAP_USAGE, "%s cannot be read", path);
  if (n > FILE_MAX) return neap__error_set(e, NEAP_USAGE, "%s is too large for a file of profiles", path);
  return 0;
}

// Ends the text where the blanks at its end begin, and gives where those at its start do.
static char *trim(char *text) {
  text += strspn(text, " \t\r");
  size_t n = strlen(text);
  while (n > 0 && strchr(" \t\r", text[n - 1])) n--;
  text[n] = 0;
  return text;
}

// "[default]", in the file of settings "[profile name]" too.
static bool is_section(char *line, const char *name, bool settings) {
  line[strcspn(line, "]")] = 0;
  char *section = trim(line + 1);
  if (settings && strncmp(section, "profile", 7) == 0 && section[7] && strchr(" \t", section[7]))
    section = trim(section + 8);
  else if (settings && strcmp(section, "default") != 0)
    return false;
  return strcmp(section, name) == 0;
}

static void set(struct aws_profile *p, char *line) {
  char *value = strchr(line, '=');
  if (!value) return;
  *value++ = 0;
  const char *name = trim(line);
  for (char *comment = value; (comment = strpbrk(comment, "#;")) != NULL; comment++)
    if (comment > value && strchr(" \t", comment[-1])) *comment = 0;
  value = trim(value);
  for (int i = 0; i < AWS_SETTINGS; i++)
    if (strcasecmp(name, names[i]) == 0 && !p->settings[i] && *value) p->settings[i] = value;
}

int neap__aws_profile_read(struct aws_profile *p, const char *path, bool settings, struct neap__error *e) {
  char **text = &p->texts[settings];
  if (read_file(path, text, e) != 0) return -1;
  bool ours = false;
  for (char *line = *text, *next; line; line = next) {
    next = strchr(line, '\n');
    if (next) *next++ = 0;
    bool deeper = *line == ' ' || *line == '\t';  // of a setting that has several
    if (*line == '[') p->found |= ours = is_section(line, p->name, settings);
    if (ours && !deeper && !strchr("[#;", *line)) set(p, line);
  }
  return 0;
}

void neap__aws_profile_free(struct aws_profile *p) {
  for (int i = 0; i < 2; i++) {
    if (p->texts[i]) sodium_memzero(p->texts[i], FILE_MAX);
    free(p->texts[i]);
  }
}
