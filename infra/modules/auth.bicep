// App Service authentication with Entra: users sign in before a request reaches the app.
param appName string

@description('Client id of the app registration. It must trust the identity of the app: docs/deploy.md. Empty to turn authentication off.')
param clientId string

var registered = {
  azureActiveDirectory: {
    enabled: true
    registration: {
      clientId: clientId
      clientSecretSettingName: 'OVERRIDE_USE_MI_FIC_ASSERTION_CLIENTID'
      openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
    }
    // The audience of version 2 tokens is the client id.
    validation: { allowedAudiences: [clientId, 'api://${clientId}'] }
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName

  resource authentication 'config' = {
    name: 'authsettingsV2'
    properties: {
      platform: { enabled: !empty(clientId) }
      globalValidation: empty(clientId)
        ? { requireAuthentication: false, unauthenticatedClientAction: 'AllowAnonymous' }
        : {
            requireAuthentication: true
            // With a 401, agents discover how to sign in, and the page shows its link. The page itself needs no sign-in.
            unauthenticatedClientAction: 'Return401'
            redirectToProvider: 'azureactivedirectory'
            excludedPaths: ['/', '/assets/*', '/health']
          }
      identityProviders: empty(clientId) ? {} : registered
      // The app uses no tokens of users, so none are stored.
      login: { tokenStore: { enabled: false } }
      httpSettings: { requireHttps: true }
    }
  }
}
